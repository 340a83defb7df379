/**
 * The bed a compat test lies in: namespaces, certificates, a scratch folder, the two programs in their
 * roles, and the checks every test repeats (tunnel up, pings, checked transfer, nothing left behind).
 *
 * "Ours" is the program under test, "peer" the reference; either may be any openvpn binary. Which of them
 * is server and which client is the test's pairing.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ClientSide, createNetwork, ip, snapshot, type TestNetwork } from '../test-kit/netns.ts';
import type { Pki } from '../test-kit/pki.ts';
import { describeExit, type ExitStatus, Program, patient, sleep } from '../test-kit/process.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../test-kit/temporary.ts';
import { Agent, type PingOptions, ping } from '../test-kit/transfer.ts';
import { waitForText } from '../test-kit/written-file.ts';
import {
  clientLines,
  INNER_SERVER4,
  INNER_SERVER6,
  serverLines,
  type TunnelFiles,
  type TunnelOptions,
  tunnelFiles,
} from './config.ts';
import { toLogLine, toOpenvpn2, toOpenvpn3 } from './openvpn3.ts';
import type { Pairing } from './pairing.ts';
import { isBefore, type Peer } from './peer.ts';
import { spellFor } from './peer-spelling.ts';

export type Role = 'client' | 'server';

/** Paths of the two programs, and what the peer is. */
export interface Programs {
  readonly ours: string;
  readonly peer: string;
  readonly reference: Peer;
}

/** What a scenario asks of its bed. */
export interface BedNeeds {
  readonly clients?: number;
}

export interface StartOptions {
  /** Which client namespace; 0 when left out. */
  readonly index?: number;
  /** Certificate of a client; "client1" when left out. */
  readonly identity?: 'client1' | 'client2' | 'expired' | 'stranger';
  readonly ca?: 'ca' | 'wrongCa';
  /** Where the client connects to; the server's address when left out. */
  readonly remote?: readonly string[];
  /** Started on a terminal of its own, whose keyboard is Program.write(). */
  readonly terminal?: boolean;
  /** What a shell does on that terminal afterwards. */
  readonly afterwards?: string;
  /** A program that is given the whole command and starts it. */
  readonly through?: string;
  /** What a shell does before it becomes the program, e.g. `exec 3>file`. */
  readonly before?: string;
  /** Further variables of the program's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

const UP = /Initialization Sequence Completed/;
const TRANSFER_PORT = 5_000;
const MIB = 1_048_576;

/** Fails the test with a text. */
export class CheckFailed extends Error {}

/** Throws CheckFailed unless `condition` holds. */
export function check(condition: boolean, text: string): asserts condition {
  if (!condition) throw new CheckFailed(text);
}

export class Bed {
  readonly pairing: Pairing;
  readonly network: TestNetwork;
  readonly pki: Pki;
  readonly tunnel: TunnelOptions;
  readonly programs: Programs;
  /** Scratch folder, removed at the end. */
  readonly dir: string;
  /** Added to the environment of our programs. */
  env: Readonly<Record<string, string>> = {};
  /** Added to the environment of the peer. */
  peerEnv: Readonly<Record<string, string>> = {};
  /** Keys of both ends' wraps. */
  readonly files: TunnelFiles;
  #started: { program: Program; role: Role }[] = [];
  #agents = new Map<string, Agent>();
  #counter = 0;

  private constructor(
    pairing: Pairing,
    programs: Programs,
    tunnel: TunnelOptions,
    pki: Pki,
    clients: number,
  ) {
    this.pairing = pairing;
    this.tunnel = tunnel;
    this.pki = pki;
    this.programs = programs;
    this.dir = createTemporaryFolder('bed');
    const { kind } = programs.reference;
    const knowsV2 = kind === 'openvpn' && !isBefore(programs.reference, '2.5');
    const keyMaker = knowsV2 ? programs.peer : programs.ours;
    this.files = tunnelFiles(tunnel, this.dir, keyMaker);
    this.network = createNetwork(clients);
  }

  static create(
    pairing: Pairing,
    programs: Programs,
    tunnel: TunnelOptions,
    pki: Pki,
    needs: BedNeeds = {},
  ): Bed {
    return new Bed(pairing, programs, tunnel, pki, needs.clients ?? 1);
  }

  client(index = 0): ClientSide {
    return this.network.clients[index]!;
  }

  /** Says whether our program plays `role` in this pairing. */
  isOurs(role: Role): boolean {
    return this.pairing === 'ours-both' || this.pairing === `ours-${role}`;
  }

  /** Says whether both programs of this pairing have what `version` of 2.x brought. */
  knows(version: string): boolean {
    return this.pairing === 'ours-both' || !isBefore(this.programs.reference, version);
  }

  programFor(role: Role): string {
    return this.isOurs(role) ? this.programs.ours : this.programs.peer;
  }

  /** Starts the server and waits until it serves. Further lines come after the tunnel's own. */
  async startServer(extra: readonly string[] = []): Promise<Program> {
    const program = this.launchServer(extra);
    await program.waitFor(UP);
    return program;
  }

  launchServer(extra: readonly string[] = []): Program {
    const lines = [...serverLines(this.tunnel, this.files, this.pki), ...extra];
    return this.launch('server', this.network.server, lines);
  }

  /** Starts a client and waits until it is connected. */
  async startClient(extra: readonly string[] = [], options: StartOptions = {}): Promise<Program> {
    const program = this.launchClient(extra, options);
    await this.waitUp(program);
    return program;
  }

  /** Starts both ends, `lines` for that of `role`, and returns that. */
  async startBoth(role: Role, lines: readonly string[] = []): Promise<Program> {
    const server = await this.startServer(role === 'server' ? lines : []);
    const client = await this.startClient(role === 'client' ? lines : []);
    return role === 'client' ? client : server;
  }

  /** Starts a server whose tap device is part of a bridge: it has no addresses of its own. */
  async launchBridged(
    form = 'server-bridge 10.8.0.1 255.255.255.0 10.8.0.50 10.8.0.60',
    extra: readonly string[] = [],
  ): Promise<Program> {
    const bridge = [form, 'ifconfig-ipv6 fd00:8::1/64 fd00:8::2', 'ifconfig-ipv6-pool fd00:8::1000/64'];
    const lines = [...serverLines(this.tunnel, this.files, this.pki, bridge), 'ifconfig-noexec', ...extra];
    const program = this.launch('server', this.network.server, lines);
    await program.waitFor(UP);
    return program;
  }

  /** Starts our server by the library, in the helper process of the server's namespace. */
  async startLibraryServer(extra: readonly string[] = [], usageLimit?: number): Promise<Agent> {
    const lines = [...serverLines(this.tunnel, this.files, this.pki), ...extra];
    return this.#startLibrary(await this.serverAgent(), lines, usageLimit);
  }

  /** Starts our client by the library, in the helper process of its namespace. */
  async startLibraryClient(extra: readonly string[] = [], usageLimit?: number): Promise<Agent> {
    const lines = [...this.#clientLines({}), ...extra];
    return this.#startLibrary(await this.agent(this.client().ns), lines, usageLimit);
  }

  async #startLibrary(agent: Agent, lines: readonly string[], usageLimit?: number): Promise<Agent> {
    const limit = usageLimit === undefined ? {} : { usageLimit };
    const options = { dist: resolve('dist'), config: lines.join('\n'), ...limit };
    await agent.ask({ do: 'library-tunnel', options });
    return agent;
  }

  launchClient(extra: readonly string[] = [], options: StartOptions = {}): Program {
    const lines = [...this.#clientLines(options), ...extra];
    return this.launch('client', this.client(options.index).ns, lines, options);
  }

  #clientLines(options: StartOptions): string[] {
    const side = this.client(options.index);
    const host = this.tunnel.family === 6 ? side.server6 : side.server4;
    const remotes = options.remote ?? [`${host} 1194`];
    const identity = this.pki[options.identity ?? 'client1'];
    return clientLines(this.tunnel, this.files, this.pki[options.ca ?? 'ca'], identity, remotes);
  }

  /** Starts the program of `role` in `ns` with a configuration file of these lines. */
  launch(role: Role, ns: string, lines: readonly string[], options: StartOptions = {}): Program {
    const command = this.#command(role, lines);
    const plain = options.through === undefined ? command : [options.through, ...command];
    const shelled =
      options.before === undefined ? plain : ['sh', '-c', `${options.before}; exec "$0" "$@"`, ...plain];
    // Ctrl-C reaches the shell too, and some shells end by it before what is to be done afterwards.
    const onKeyboard = options.afterwards === undefined ? '' : 'trap : INT';
    const words = [onKeyboard, plain.join(' '), options.afterwards].filter(Boolean).join('; ');
    const argv = options.terminal ? ['script', '-qefc', words, '/dev/null'] : shelled;
    const program = new Program({
      name: `${this.isOurs(role) ? 'our' : 'peer'} ${role}`,
      argv,
      ns,
      ...(this.#isOpenvpn3(role) ? { toLine: toLogLine } : {}),
      cwd: this.dir,
      env: { ...(this.isOurs(role) ? this.env : this.peerEnv), ...options.env },
    });
    this.#started.push({ program, role });
    return program;
  }

  /** Whether an OpenVPN 3 plays `role`. */
  #isOpenvpn3(role: Role): boolean {
    return !this.isOurs(role) && this.programs.reference.kind === 'openvpn3-client';
  }

  /** Writes the configuration file and returns the words that start the program of `role` with it. */
  #command(role: Role, lines: readonly string[]): string[] {
    const spelt = this.isOurs(role) ? lines : spellFor(this.programs.reference, lines);
    const { extension, args, lines: kept } = this.#isOpenvpn3(role) ? toOpenvpn3(spelt) : toOpenvpn2(spelt);
    const file = this.write(`${role}-${this.#counter++}.${extension}`, `${kept.join('\n')}\n`);
    return [this.programFor(role), ...args, file];
  }

  async waitUp(client: Program, timeoutMs = 20_000): Promise<void> {
    try {
      await client.waitFor(UP, timeoutMs);
    } catch (error) {
      const servers = this.#started.filter((s) => s.role === 'server').map((s) => s.program.tail());
      throw new CheckFailed(`${(error as Error).message}\n${servers.join('\n')}`);
    }
  }

  /** Pings the server's inner IPv4 and IPv6 address and moves data over both; everything must arrive. */
  async checkTraffic(mib = 10, index = 0): Promise<void> {
    await this.checkPing(INNER_SERVER4, { index });
    await this.checkPing(INNER_SERVER6, { index });
    await this.checkTransfer(INNER_SERVER4, mib * MIB, index);
    await this.checkTransfer(INNER_SERVER6, MIB, index);
  }

  /** All answers must come, from the client of `index` (or from `ns`) to `host`. */
  async checkPing(host: string, options: PingOptions & { index?: number; ns?: string } = {}): Promise<void> {
    const ns = options.ns ?? this.client(options.index).ns;
    const { sent, received, lost } = await ping(ns, host, { patienceSec: 10, ...options });
    const which = lost.slice(0, 20).join(' ');
    check(received === sent, `ping ${host}: ${received} of ${sent} answers, lost ${which}${this.tails()}`);
  }

  /** No answer may come. */
  async checkNoPing(host: string, options: PingOptions & { index?: number } = {}): Promise<void> {
    const few = { count: 2, waitSec: 1, ...options };
    const { received } = await ping(this.client(options.index).ns, host, few);
    check(received === 0, `ping ${host}: ${received} answers, none expected${this.tails()}`);
  }

  /** Looks again and again until `condition` holds. */
  async waitUntil(condition: () => boolean, text: string, timeoutMs = 10_000): Promise<void> {
    const endMs = Date.now() + patient(timeoutMs);
    while (!condition()) {
      check(Date.now() < endMs, `${text}${this.tails()}`);
      await sleep(200);
    }
  }

  /** Waits until each of these programs has finished so many TLS handshakes. */
  async waitHandshakes(programs: readonly Program[], least: number, timeoutMs = 15_000): Promise<void> {
    const enough = () => programs.every((program) => program.count(/Control Channel: TLSv/) >= least);
    await this.waitUntil(enough, `fewer than ${least} finished handshakes`, timeoutMs);
  }

  /** Moves `bytes` each way to the server; all must arrive as it was. Returns the time that took, in ms. */
  async checkTransfer(host: string, bytes: number, index = 0): Promise<number> {
    await this.serverAgent();
    try {
      return await (await this.agent(this.client(index).ns)).transfer(host, TRANSFER_PORT, bytes);
    } catch (error) {
      throw new CheckFailed(`transfer to ${host}: ${(error as Error).message}${this.tails()}`);
    }
  }

  /** The helper process of a namespace, started at the first call. */
  async agent(ns: string): Promise<Agent> {
    const known = this.#agents.get(ns);
    if (known !== undefined) return known;
    const agent = new Agent(ns);
    this.#agents.set(ns, agent);
    return agent;
  }

  /** The server's helper, serving transfers on every address. */
  async serverAgent(): Promise<Agent> {
    const known = this.#agents.get(this.network.server);
    if (known !== undefined) return known;
    const agent = await this.agent(this.network.server);
    await agent.ask({ do: 'serve', host: '::', port: TRANSFER_PORT });
    return agent;
  }

  /** No tunnel may come up; our sides' logs must hold the wanted lines. */
  async checkNoTunnel(
    client: Program,
    server: Program,
    wanted: Readonly<Partial<Record<Role, RegExp>>>,
  ): Promise<void> {
    const waits: Promise<string>[] = [];
    if (wanted.client && this.isOurs('client')) waits.push(client.waitFor(wanted.client, 20_000));
    if (wanted.server && this.isOurs('server')) waits.push(server.waitFor(wanted.server, 20_000));
    await Promise.all(waits);
    await sleep(500);
    check(!client.has(UP), `the tunnel came up although it must not${this.tails()}`);
    const devices = ip(this.client().ns, '-o', 'link');
    check(!/: t(un|ap)\d/.test(devices), `a device was opened although no tunnel may exist:\n${devices}`);
  }

  /** Stops a program; ours must end by itself with `code`. */
  async stop(program: Program, signal: NodeJS.Signals = 'SIGTERM', code = 0): Promise<ExitStatus> {
    const status = await program.stop(signal, 8_000);
    const ours = this.#started.some((s) => s.program === program && this.isOurs(s.role));
    if (ours)
      check(
        status.code === code,
        `${program.name}: ${describeExit(status)} after ${signal}\n${program.tail()}`,
      );
    return status;
  }

  /** Devices, addresses and routes of a namespace, to compare with `checkClean`. */
  snapshot(ns: string): string[] {
    return snapshot(ns);
  }

  /** Nothing may differ from the earlier snapshot. */
  checkClean(ns: string, before: readonly string[]): void {
    const after = snapshot(ns);
    const left = after.filter((line) => !before.includes(line));
    const gone = before.filter((line) => !after.includes(line));
    check(left.length === 0, `left behind in ${ns}: ${left.join('; ')}`);
    check(gone.length === 0, `lost from ${ns}: ${gone.join('; ')}`);
  }

  /** `ip` inside a namespace. */
  ip(ns: string, ...args: string[]): string {
    return ip(ns, ...args);
  }

  write(name: string, text: string, mode = 0o600): string {
    const path = join(this.dir, name);
    writeFileSync(path, text, { mode });
    return path;
  }

  /** For files whose writer has ended; waitForText() is for the others. */
  read(name: string): string {
    return readFileSync(join(this.dir, name), 'utf8');
  }

  /** The text of a file that a program writes, once it is `whole`: until then it may be missing, empty or half there. */
  waitForText(name: string, whole: RegExp, timeoutMs = 10_000): Promise<string> {
    return waitForText(join(this.dir, name), whole, timeoutMs);
  }

  /** Last log lines of everything started, for error texts. */
  tails(): string {
    return `\n${this.#started.map((s) => s.program.tail(12)).join('\n')}`;
  }

  /** Logs of everything started, for the results folder. */
  logs(): string {
    return this.#started.map((s) => `== ${s.program.name}\n${s.program.lines.join('\n')}\n`).join('\n');
  }

  async close(): Promise<void> {
    await Promise.all([
      ...this.#started.map((s) => s.program.stop('SIGKILL')),
      ...[...this.#agents.values()].map((agent) => agent.close()),
    ]);
    this.network.close();
    removeTemporaryFolder(this.dir);
  }
}
