/**
 * The child that works inside a namespace for the tests: checked TCP transfers, the UDP relay, floods of
 * bad datagrams. One JSON request per line on stdin, one JSON answer per line on stdout, in any order:
 *
 *   {"id":1,"do":"serve","host":"10.8.0.1","port":5000}   ->  {"id":1,"ok":true,"value":...}
 *                                                         or  {"id":1,"ok":false,"error":"text"}
 *
 * It ends when stdin closes, so it can't outlive its starter. Use it through transfer.ts.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
// Two agents start in most tests, and most of them move data only: the rest is loaded when it is asked for.
import type { Tunnel } from '../src/index.ts';
import type { FloodOptions } from './flood.ts';
import type { LibraryTunnelOptions } from './library-tunnel.ts';
import type { ScriptedProxy, ScriptedProxyOptions } from './scripted-proxy.ts';
import { serveTransfers, transferTo } from './transfer-peer.ts';
import type { RelayOptions, UdpRelay } from './udp-relay.ts';
import type { VlanSwitchOptions } from './vlan-switch.ts';

/** What an agent can be asked to do. */
export type AgentRequest =
  | { readonly do: 'serve'; readonly host: string; readonly port: number }
  | { readonly do: 'transfer'; readonly host: string; readonly port: number; readonly bytes: number }
  | { readonly do: 'relay'; readonly options: RelayOptions }
  | { readonly do: 'vlans'; readonly options: VlanSwitchOptions }
  | { readonly do: 'dhcp-serve'; readonly host: string; readonly router: string }
  | { readonly do: 'dhcp-ask'; readonly host: string }
  | { readonly do: 'library-tunnel'; readonly options: LibraryTunnelOptions }
  | { readonly do: 'push-update'; readonly options: string }
  | { readonly do: 'proxy'; readonly options: ScriptedProxyOptions }
  | { readonly do: 'said'; readonly port: number }
  | { readonly do: 'rebind' }
  | { readonly do: 'replay'; readonly count: number; readonly lengthBytes?: number }
  | { readonly do: 'tcp-strangers'; readonly host: string; readonly port: number; readonly count: number }
  | { readonly do: 'flood'; readonly host: string; readonly port: number; readonly count: number }
  /** Packets of one's own; `fromRelay`: from where the relay's first client is seen. */
  | { readonly do: 'flood-with'; readonly options: FloodOptions; readonly fromRelay?: boolean };

let relay: UdpRelay | undefined;
const proxies = new Map<number, ScriptedProxy>();
let libraryTunnel: Tunnel | undefined;

if (process.argv[1]?.includes('agent')) listen();

function listen(): void {
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    void answer(line);
  });
  input.on('close', () => process.exit(0));
}

async function answer(line: string): Promise<void> {
  const request = JSON.parse(line) as AgentRequest & { id: number };
  try {
    const value = await perform(request);
    process.stdout.write(`${JSON.stringify({ id: request.id, ok: true, value: value ?? null })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ id: request.id, ok: false, error: String(error) })}\n`);
  }
}

async function perform(request: AgentRequest): Promise<unknown> {
  switch (request.do) {
    case 'serve':
      return serveTransfers(request.host, request.port);
    case 'transfer':
      return transferTo(request.host, request.port, request.bytes);
    case 'relay':
      relay = await (await import('./udp-relay.ts')).createUdpRelay(request.options);
      return undefined;
    case 'vlans':
      return (await import('./vlan-switch.ts')).createVlanSwitch(request.options);
    case 'dhcp-serve':
      return (await import('./dhcp-messages.ts')).serveDhcp(request.host, request.router);
    case 'dhcp-ask':
      return (await import('./dhcp-messages.ts')).askDhcp(request.host);
    case 'library-tunnel':
      libraryTunnel = await (await import('./library-tunnel.ts')).startLibraryTunnel(request.options);
      return undefined;
    case 'push-update':
      return libraryTunnel?.pushUpdate(request.options);
    case 'proxy':
      return startProxy(request.options);
    case 'said':
      return proxies.get(request.port)?.said;
    case 'rebind':
      return relay?.rebind();
    case 'replay':
      return relay?.replay(request.count, request.lengthBytes);
    case 'tcp-strangers':
      return tcpStrangers(request.host, request.port, request.count);
    case 'flood':
      return flood(request.host, request.port, request.count);
    case 'flood-with':
      return (await import('./flood.ts')).sendFlood(
        request.options,
        request.fromRelay ? relay?.upstream : undefined,
      );
  }
}

async function startProxy(options: ScriptedProxyOptions): Promise<void> {
  const { ScriptedProxy } = await import('./scripted-proxy.ts');
  const proxy = new ScriptedProxy(options);
  await proxy.listen(options.port, options.host);
  proxies.set(options.port, proxy);
}

/** Connections that say random bytes, a length without a packet, lengths of 0, byte after byte, or nothing. */
async function tcpStrangers(host: string, port: number, count: number): Promise<void> {
  const random = (await import('./prng.ts')).createPrng(count);
  const garbage = (bytes: number) =>
    Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
  const sayings = [
    () => [garbage(4_000)],
    () => [Buffer.of(5, 0xdc, 0x38), garbage(100)],
    () => [Buffer.alloc(64)],
    () => [...garbage(16)].map((byte) => Buffer.of(byte)),
    () => [],
  ];
  for (let i = 0; i < count; i++) {
    const socket = connect({ host, port });
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => socket.once('connect', resolve).once('error', () => resolve()));
    for (const bytes of sayings[i % sayings.length]!())
      await new Promise((resolve) => socket.write(bytes, resolve));
    setTimeout(() => socket.destroy(), 200);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
}

/** Random bytes of random length; a third begin with a valid opcode and key id, a third are cut to 0 to 3 bytes. */
async function flood(host: string, port: number, count: number): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const random = (await import('./prng.ts')).createPrng(count);
  for (let i = 0; i < count; i++) {
    const length = i % 3 === 2 ? Math.floor(random() * 4) : 1 + Math.floor(random() * 1400);
    const packet = Buffer.alloc(length);
    for (let at = 0; at < length; at++) packet[at] = Math.floor(random() * 256);
    if (i % 3 === 0) packet[0] = ((1 + (i % 11)) << 3) | (i & 7);
    await new Promise<void>((resolve) => socket.send(packet, port, host, () => resolve()));
  }
  socket.close();
}
