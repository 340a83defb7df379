/**
 * `openvpn-ts quickstart` (npm start): the main job on this machine. Makes quickstart/ once, starts the
 * server, connects a client to it from a network namespace of its own, proves the tunnel by ping and by a
 * hashed transfer, tells how to use the profile elsewhere, and serves until Ctrl-C. Whatever ends it, the
 * processes are stopped and the namespace is removed.
 */
import { accessSync, constants } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OpenVpnError } from '../base/base.ts';
import { serverStatusLines } from '../manage/manage.ts';
import { nativeMissingReason } from '../native/native.ts';
import { adviceText, ownCommand } from './quickstart-advice.ts';
import {
  checkPortFree,
  openQuickstart,
  type QuickstartFiles,
  serverAddress,
  writeLocalProfile,
} from './quickstart-files.ts';
import { type MemoryPair, startMemoryPair } from './quickstart-memory.ts';
import { createNamespace, type Namespace } from './quickstart-namespace.ts';
import { runCommand, tellWhile, VpnProcess } from './quickstart-process.ts';
import { fitLine, readStatusLine, statusLine } from './quickstart-status.ts';
import { type Ipv4Network, parseRoutes } from './quickstart-subnet.ts';
import { startTransferServer, type TransferReport } from './quickstart-transfer.ts';

export interface QuickstartOptions {
  readonly directory: string;
  /** Stop after the main job; the exit status says whether it was done. */
  readonly check: boolean;
  /** Bytes of the transfer, each way. */
  readonly bytes: number;
  /** The server's UDP port; the one of server.conf, or a free one, when left out. */
  readonly port?: number | undefined;
}

const START_MS = 30_000;
const STATUS_MS = 1000;
const READY_LINE = 'Initialization Sequence Completed';
/** The package's folder, from src/cli/ and dist/cli/ alike. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const OPENVPN = join(ROOT, 'bin', 'openvpn');
const OPENVPN_TS = join(ROOT, 'bin', 'openvpn-ts');

/** Runs to the end and gives the exit status. */
export async function runQuickstart(options: QuickstartOptions): Promise<number> {
  const run = new Quickstart(options);
  const onSignal = (): void => run.stop();
  const onExit = (): void => run.stopNow();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  process.on('exit', onExit);
  try {
    return await run.run();
  } catch (error) {
    if (run.stopped) return 1;
    if (!(error instanceof OpenVpnError)) throw error;
    print(`quickstart: ${error.message}`);
    return 1;
  } finally {
    await run.cleanUp();
    for (const signal of signals) process.off(signal, onSignal);
    process.off('exit', onExit);
  }
}

class Quickstart {
  readonly #options: QuickstartOptions;
  /** Last made, first removed. */
  readonly #cleanUps: { later: () => Promise<void>; now: () => void }[] = [];
  readonly #stopping = new AbortController();

  constructor(options: QuickstartOptions) {
    this.#options = { ...options, directory: resolve(options.directory) };
  }

  get stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async run(): Promise<number> {
    const problem = whatIsMissing();
    if (problem === undefined) await checkTools();
    const taken = parseRoutes((await runCommand('ip', ['-4', 'route', 'show'])).stdout);
    const { directory, port } = this.#options;
    if (port !== undefined) await checkPortFree(port);
    const files = await tellWhile('making keys', openQuickstart(directory, taken, port));
    print(
      files.fresh ? `Made ${files.directory}: PKI, server.conf, client.ovpn` : `Using ${files.directory}`,
    );
    await checkPortFree(files.port);
    const good =
      problem === undefined ? await this.#overTun(files, taken) : await this.#overMemory(files, problem);
    if (this.#options.check) print(good ? 'Quickstart check passed' : 'Quickstart check FAILED');
    return good ? 0 : 1;
  }

  /** The real thing: two processes, a TUN device each, a namespace between them. */
  async #overTun(files: QuickstartFiles, taken: readonly Ipv4Network[]): Promise<boolean> {
    const server = await this.#startServer(files);
    const namespace = await this.#step(createNamespace(taken));
    this.#cleanUps.push({ later: () => namespace.remove(), now: () => namespace.removeNow() });
    const client = await this.#startClient(files, namespace);
    const good = await this.#prove(serverAddress(files), namespace);
    if (!this.#options.check) {
      print(adviceText(files, ownCommand(OPENVPN_TS)));
      await this.#serve(() => readStatusLine(join(files.directory, 'status')), server.ended, client.ended);
    }
    return good;
  }

  /** Both ends in this process, with devices in memory. */
  async #overMemory(files: QuickstartFiles, problem: string): Promise<boolean> {
    print(
      `No TUN device can be used here (${problem}): server and client run in this process over devices in memory`,
    );
    const { signal } = this.#stopping;
    const pair = await this.#step(tellWhile('connecting', startMemoryPair(files, signal)));
    this.#cleanUps.push({ later: () => pair.close(), now: () => undefined });
    print(`Server listens on UDP port ${files.port}; client connected over 127.0.0.1`);
    const proof = tellWhile('transferring', pair.prove(this.#options.bytes));
    const { good, lines } = await this.#step(proof);
    for (const line of lines) print(line);
    if (!this.#options.check) {
      print(adviceText(files, ownCommand(OPENVPN_TS)));
      const ended = new Promise<void>((resolve) => pair.server.once('end', () => resolve()));
      await this.#serve(() => memoryStatus(pair), ended, new Promise(() => undefined));
    }
    return good;
  }

  /** Ends what is running; run() then comes to its end by itself. */
  stop(): void {
    this.#stopping.abort();
    void this.cleanUp();
  }

  stopNow(): void {
    for (const { now } of this.#cleanUps.splice(0).reverse()) now();
  }

  #cleaning: Promise<void> = Promise.resolve();

  /** Everything that was made so far, in the opposite order. May be called again. */
  cleanUp(): Promise<void> {
    const steps = this.#cleanUps.splice(0).reverse();
    this.#cleaning = this.#cleaning.then(async () => {
      for (const [index, { later }] of steps.entries()) {
        await later().catch(() => steps[index]!.now());
      }
    });
    return this.#cleaning;
  }

  async #startServer(files: QuickstartFiles): Promise<VpnProcess> {
    const status = ['--status', join(files.directory, 'status'), '1', '--status-version', '2'];
    const args = [OPENVPN, '--config', files.serverConf, ...status];
    const server = this.#process('server', process.execPath, args, files);
    await this.#step(tellWhile('starting the server', server.waitForLine(READY_LINE, START_MS)));
    print(`Server listens on UDP port ${files.port}, tunnel network ${files.network}/24`);
    return server;
  }

  async #startClient(files: QuickstartFiles, namespace: Namespace): Promise<VpnProcess> {
    const profile = writeLocalProfile(files, namespace.hostAddress);
    const [command, ...prefix] = namespace.prefix;
    const args = [...prefix, process.execPath, OPENVPN, '--config', profile];
    const client = this.#process('client', command!, args, files);
    await this.#step(tellWhile('connecting the client', client.waitForLine(READY_LINE, START_MS)));
    print(`Client in namespace ${namespace.name} is connected`);
    return client;
  }

  #process(name: string, command: string, args: readonly string[], files: QuickstartFiles): VpnProcess {
    if (this.stopped) throw new OpenVpnError('stopped');
    const vpn = new VpnProcess(name, command, args, join(files.directory, `${name}.log`));
    this.#cleanUps.push({ later: () => vpn.stop(), now: () => vpn.kill() });
    return vpn;
  }

  async #prove(address: string, namespace: Namespace): Promise<boolean> {
    const pinged = await this.#step(ping(address, namespace, this.#stopping.signal));
    const work = transfer(address, namespace, this.#options.bytes, this.#stopping.signal);
    const report = await this.#step(tellWhile('transferring', work));
    const mebibytes = (report.bytes / 2 ** 20).toFixed(0);
    const verdict = report.intact ? 'SHA-256 equal at both ends' : 'SHA-256 DIFFERS';
    const rates = `up ${report.upMbps.toFixed(0)} Mbit/s, down ${report.downMbps.toFixed(0)} Mbit/s`;
    print(`Transfer through the tunnel: ${mebibytes} MiB each way, ${rates}, ${verdict}`);
    return pinged && report.intact;
  }

  /** Shows `status` every second until Ctrl-C. Throws OpenVpnError when the server ends by itself. */
  async #serve(status: () => string, serverEnded: Promise<void>, clientEnded: Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    let reported = '';
    let over = false;
    void serverEnded.then(() => {
      over = true;
    });
    void clientEnded.then(() => {
      if (!over && !this.stopped) print('\nThe client has ended, see client.log; the server goes on');
    });
    while (!over && !this.stopped) {
      const line = status();
      const [clients = ''] = line.split('  ');
      if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${fitLine(line, process.stdout.columns)}`);
      else if (clients !== reported) print(line);
      reported = clients;
      await pause(STATUS_MS, signal);
    }
    if (!this.stopped) throw new OpenVpnError('the server has ended, see server.log');
    print('\nStopping');
  }

  /** Gives up early once a signal came. */
  async #step<T>(work: Promise<T>): Promise<T> {
    const result = await work;
    if (this.stopped) throw new OpenVpnError('stopped');
    return result;
  }
}

/** Why the main job can't be done here; undefined = it can. */
function whatIsMissing(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.geteuid?.() !== 0) return 'needs root for TUN devices and network namespaces: run it with sudo';
  const addon = nativeMissingReason();
  if (addon !== undefined) return `needs the native addon to open TUN devices: ${addon}`;
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    return '/dev/net/tun is missing: load the tun module, or give the container the device';
  }
  return undefined;
}

/** Throws OpenVpnError that names the packages of programs that are not there. */
async function checkTools(): Promise<void> {
  const wanted = [
    ['ip', 'iproute2'],
    ['ping', 'iputils-ping'],
  ] as const;
  const missing: string[] = [];
  for (const [program, name] of wanted) {
    if ((await runCommand(program, ['-V'])).status === 127) missing.push(name);
  }
  if (missing.length === 0) return;
  throw new OpenVpnError(`needs the programs of the packages ${missing.join(' and ')}: install them first`);
}

async function ping(address: string, namespace: Namespace, signal: AbortSignal): Promise<boolean> {
  const [command, ...prefix] = namespace.prefix;
  const args = [...prefix, 'ping', '-n', '-c', '4', '-i', '0.2', '-W', '2', address];
  const { status, stdout, stderr } = await runCommand(command!, args, { signal });
  if (signal.aborted) return false;
  const summary = stdout.split('\n').filter((line) => /packets transmitted|min\/avg\/max/.test(line));
  print(`Ping ${address} through the tunnel: ${summary.join('; ') || stderr.trim() || 'failed'}`);
  return status === 0;
}

async function transfer(
  address: string,
  namespace: Namespace,
  bytes: number,
  signal: AbortSignal,
): Promise<TransferReport> {
  const server = await startTransferServer(address);
  try {
    const [command, ...prefix] = namespace.prefix;
    const peer = [
      process.execPath,
      OPENVPN_TS,
      'quickstart-peer',
      address,
      String(server.port),
      String(bytes),
    ];
    const { status, stdout, stderr } = await runCommand(command!, [...prefix, ...peer], {
      timeoutMs: 180_000,
      signal,
    });
    if (status !== 0) throw new OpenVpnError(stderr.trim() || `the transfer ended with status ${status}`);
    return JSON.parse(stdout) as TransferReport;
  } finally {
    server.close();
  }
}

function memoryStatus(pair: MemoryPair): string {
  const status = pair.server.status();
  return statusLine(status ? serverStatusLines(status, 2, 'openvpn-ts', Date.now()).join('\n') : '');
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
