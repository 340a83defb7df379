/**
 * What every measurement needs: which program plays which end, a network, configuration files, and the
 * median of a row of numbers.
 */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  clientLines,
  PLAIN_TUNNEL,
  serverLines,
  type TunnelFiles,
  type TunnelOptions,
  tunnelFiles,
} from '../compat-tests/config.ts';
import { createNetwork, ip, setUdpSegmentation, type TestNetwork } from '../test-kit/netns.ts';
import { pkiFor } from '../test-kit/pki.ts';
import { Program } from '../test-kit/process.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../test-kit/temporary.ts';

/** A program with the environment it runs in. */
export interface Contender {
  /** Short name in tables. */
  readonly name: string;
  readonly path: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What lies between the ends of a tunnel. */
export interface TunnelWire {
  /** Make the veth split UDP super-packets as a network card does. */
  readonly split: boolean;
}

/** The address inside of the tunnel that a server gives to its first client. */
export const INNER_CLIENT4 = '10.8.0.2';

/** Lines of a client that has no device and sets nothing up. */
export const NO_DEVICE: readonly string[] = ['dev null', 'ifconfig-noexec', 'route-noexec'];

const SWARM = resolve('bench/client-swarm.mjs');
const UP = /Initialization Sequence Completed/;
const START_LIMIT_MS = 30_000;

/** A network with configuration files for one measurement. */
export class Setting {
  readonly network: TestNetwork;
  readonly files: TunnelFiles;
  readonly #dir: string;
  readonly #serverLines: readonly string[];
  readonly #clientLines: readonly string[];
  #programs: Program[] = [];
  #files = 0;

  private constructor(
    network: TestNetwork,
    files: TunnelFiles,
    dir: string,
    server: readonly string[],
    client: readonly string[],
  ) {
    this.network = network;
    this.files = files;
    this.#dir = dir;
    this.#serverLines = server;
    this.#clientLines = client;
  }

  static async create(tunnel: TunnelOptions = PLAIN_TUNNEL): Promise<Setting> {
    const pki = await pkiFor(tunnel.key);
    const dir = createTemporaryFolder('bench');
    const files = tunnelFiles(tunnel, dir);
    const network = createNetwork();
    const { server4, server6 } = network.clients[0]!;
    const remote = tunnel.family === 4 ? server4 : server6;
    const client = clientLines(tunnel, files, pki.ca, pki.client1, [`${remote} 1194`]);
    return new Setting(network, files, dir, serverLines(tunnel, files, pki), client);
  }

  async startServer(contender: Contender, extra: readonly string[] = []): Promise<Program> {
    const program = this.launch(contender, this.network.server, [...this.#serverLines, 'verb 1', ...extra]);
    await program.waitFor(UP, START_LIMIT_MS);
    return program;
  }

  launchServer(contender: Contender, extra: readonly string[] = []): Program {
    return this.launch(contender, this.network.server, [...this.#serverLines, 'verb 1', ...extra]);
  }

  async startClient(contender: Contender): Promise<Program> {
    const program = this.launchClient(contender);
    await program.waitFor(UP, START_LIMIT_MS);
    return program;
  }

  /** `remote` lines take the place of the tunnel's own. */
  launchClient(
    contender: Contender,
    extra: readonly string[] = [],
    remotes: readonly string[] = [],
  ): Program {
    const own = this.#clientLines.filter((line) => remotes.length === 0 || !line.startsWith('remote '));
    const lines = [...own, ...remotes, 'verb 1', ...extra];
    return this.launch(contender, this.network.clients[0]!.ns, lines);
  }

  /** Both ends of the veth pass UDP packets one by one, as a network card puts them on the wire. */
  splitSuperPackets(): void {
    const client = this.network.clients[0]!;
    setUdpSegmentation(client.ns, client.device, false);
    setUdpSegmentation(this.network.server, client.serverDevice, false);
  }

  /** A file of this measurement, removed with it. */
  path(name: string): string {
    return join(this.#dir, name);
  }

  launch(contender: Contender, ns: string, lines: readonly string[]): Program {
    const file = join(this.#dir, `${this.#files++}.conf`);
    writeFileSync(file, `${lines.join('\n')}\n`);
    const argv = [contender.path, '--config', file];
    const program = new Program({ name: contender.name, argv, ns, cwd: this.#dir, env: contender.env });
    this.#programs.push(program);
    return program;
  }

  /** Starts the library's clients, one after the other, in a process of their own. */
  runSwarm(count: number, extra: readonly string[]): Program {
    const file = this.path('swarm.conf');
    writeFileSync(file, `${[...this.#clientLines, ...extra].join('\n')}\n`);
    return this.run(this.network.clients[0]!.ns, [process.execPath, SWARM, file, `${count}`]);
  }

  /** Starts any other program in a namespace; it is stopped with the rest. */
  run(ns: string, argv: readonly string[]): Program {
    const program = new Program({ name: argv[0]!, argv, ns });
    this.#programs.push(program);
    return program;
  }

  /** The client's routes into 172.16.0.0/12. */
  routes(): string[] {
    const shown = ip(this.network.clients[0]!.ns, 'route', 'show', 'root', '172.16.0.0/12');
    return shown.split('\n').filter((line) => line !== '');
  }

  async close(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop('SIGTERM', 3_000)));
    this.network.close();
    removeTemporaryFolder(this.#dir);
  }
}

/** Middle value; the mean of the two middle ones for an even count; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The value that this share of all is not above, by nearest rank; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
