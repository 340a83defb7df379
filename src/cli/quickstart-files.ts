/**
 * The quickstart/ folder: a PKI, server.conf and client.ovpn, made once and used again on later starts.
 * The user may edit both; what quickstart itself needs to know (port, network) is read from server.conf.
 *
 *   pki/  server.conf  client.ovpn (for another machine)  client-here.ovpn (for the client here)  *.log  status
 */
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { OpenVpnError } from '../base/base.ts';
import type { LeafKind } from './pki.ts';
import { type Bundle, PkiStore } from './pki-store.ts';
import { writePrivateFile } from './private-file.ts';
import { clientProfile, inlineBlock, serverProfile } from './profile.ts';
import { type Ipv4Network, overlapsAny } from './quickstart-subnet.ts';

export interface QuickstartFiles {
  readonly directory: string;
  readonly serverConf: string;
  readonly clientOvpn: string;
  /** The folder was made by this call. */
  readonly fresh: boolean;
  readonly port: number;
  /** VPN network, e.g. `10.8.0.0`; /24. */
  readonly network: string;
  /** This machine's address in client.ovpn. */
  readonly remote: string;
  /** Certificate and key of the client here: with those of client.ovpn the two would throw each other out. */
  readonly here: Bundle;
}

/** Networks for the tunnel, tried in turn; /24 each. */
const VPN_NETWORKS = ['10.8.0.0', '10.18.0.0', '10.98.0.0', '172.27.8.0', '192.168.218.0', '10.208.0.0'];
const FIRST_PORT = 1194;
const PORT_TRIES = 50;
const SERVER_NAME = 'server';
const CLIENT_NAME = 'client1';
const HERE_NAME = 'client-here';

/**
 * Makes the folder, or reads what is there. `taken` are the networks that the machine has routes to. A `port` that is
 * given replaces the one in both files.
 */
export async function openQuickstart(
  directory: string,
  taken: readonly Ipv4Network[],
  wantedPort?: number,
): Promise<QuickstartFiles> {
  const serverConf = join(directory, 'server.conf');
  const fresh = !existsSync(serverConf);
  if (fresh) await makeFiles(directory, serverConf, taken, wantedPort);
  else if (wantedPort !== undefined) changePort(directory, wantedPort);
  const here = await issueOnce(new PkiStore(join(directory, 'pki')), 'client', HERE_NAME);
  const text = readFileSync(serverConf, 'utf8');
  const network = firstWord(text, 'server') ?? VPN_NETWORKS[0]!;
  if (!fresh && overlapsAny(network, 24, taken)) {
    throw new OpenVpnError(
      `network ${network}/24 of ${serverConf} is in use on this machine: remove ${directory} to have another one chosen`,
    );
  }
  const clientOvpn = join(directory, 'client.ovpn');
  const remote = firstWord(readFileSync(clientOvpn, 'utf8'), 'remote') ?? 'localhost';
  const port = Number(firstWord(text, 'port') ?? FIRST_PORT);
  return { directory, serverConf, clientOvpn, fresh, port, network, remote, here };
}

/** client.ovpn with another remote and a certificate of its own, for the client on this machine. Returns its path. */
export function writeLocalProfile(files: QuickstartFiles, remote: string): string {
  const path = join(files.directory, 'client-here.ovpn');
  const text = readFileSync(files.clientOvpn, 'utf8')
    .replace(/^remote .*$/m, `remote ${remote} ${files.port}`)
    .replace(/^<cert>$.*?^<\/cert>$/ms, inlineBlock('cert', files.here.certificate))
    .replace(/^<key>$.*?^<\/key>$/ms, inlineBlock('key', files.here.privateKey));
  writePrivateFile(path, text);
  return path;
}

function changePort(directory: string, port: number): void {
  for (const [name, line, text] of [
    ['server.conf', /^port .*$/m, `port ${port}`],
    ['client.ovpn', /^(remote \S+) .*$/m, `$1 ${port}`],
  ] as const) {
    const path = join(directory, name);
    writePrivateFile(path, readFileSync(path, 'utf8').replace(line, text));
  }
}

/** The server takes the first address of its network. */
export function serverAddress(files: Pick<QuickstartFiles, 'network'>): string {
  return files.network.replace(/\d+$/, '1');
}

/** Throws OpenVpnError when another program has the port. */
export async function checkPortFree(port: number): Promise<void> {
  if (await isUdpPortFree(port)) return;
  throw new OpenVpnError(`UDP port ${port} is in use: is the server running already?`);
}

async function makeFiles(
  directory: string,
  serverConf: string,
  taken: readonly Ipv4Network[],
  wantedPort: number | undefined,
): Promise<void> {
  const network = VPN_NETWORKS.find((candidate) => !overlapsAny(candidate, 24, taken));
  if (network === undefined)
    throw new OpenVpnError('every network that quickstart knows is in use on this machine');
  const port = wantedPort ?? (await freePort());
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const store = new PkiStore(join(directory, 'pki'));
  if (!store.exists) await store.init('openvpn-ts quickstart CA');
  const server = await issueOnce(store, 'server', SERVER_NAME);
  const client = await issueOnce(store, 'client', CLIENT_NAME);
  const profile = clientProfile({ remote: ownAddress(), port, proto: 'udp' }, client);
  writePrivateFile(join(directory, 'client.ovpn'), profile);
  // Last, since its presence says that everything is there.
  writePrivateFile(serverConf, serverProfile({ port, proto: 'udp', network }, server));
}

async function issueOnce(store: PkiStore, kind: LeafKind, name: string): Promise<Bundle> {
  return store.names().includes(name) ? store.bundle(name) : store.issue(kind, name);
}

/** First argument of an option's first line. */
function firstWord(text: string, option: string): string | undefined {
  return new RegExp(`^${option}[ \\t]+(\\S+)`, 'm').exec(text)?.[1];
}

function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find((entry) => entry.family === 'IPv4' && !entry.internal)?.address ?? '127.0.0.1';
}

async function freePort(): Promise<number> {
  for (let port = FIRST_PORT; port < FIRST_PORT + PORT_TRIES; port++) {
    if (await isUdpPortFree(port)) return port;
  }
  throw new OpenVpnError(`no free UDP port from ${FIRST_PORT} on`);
}

function isUdpPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, () => socket.close(() => resolve(true)));
  });
}
