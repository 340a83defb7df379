/**
 * VLANs of a tap server: two clients in VLAN 7 and 9 by client-config-dir (or the server's own VLAN 1),
 * a switch behind the bridge of tap0 (test-kit/vlan-switch.ts). In VLAN n the server is 10.<n>.0.1 and
 * every client also 10.<n>.0.<10 + index>; a client reaches only what is in its VLAN.
 */
import { resolve } from 'node:path';
import type { Bed } from '../bed.ts';
import type { Scenario } from './scenario.ts';

const TAP = { dev: 'tap' } as const;
const VLANS = [1, 7, 9] as const;
type Vlan = (typeof VLANS)[number];

export const vlan: readonly Scenario[] = [
  { name: 'vlan-accept all: tagged and untagged VLANs', tunnel: TAP, clients: 2, run: acceptAll },
  { name: 'vlan-accept tagged: everything leaves tagged', tunnel: TAP, clients: 2, run: acceptTagged },
  { name: "vlan-accept untagged: the server's VLAN only", tunnel: TAP, clients: 2, run: acceptUntagged },
  {
    name: 'vlan-tagging with client-to-client over tcp',
    tunnel: { ...TAP, proto: 'tcp' },
    clients: 2,
    run: betweenClients,
  },
  {
    name: 'clients of different VLANs are apart with client-to-client',
    tunnel: TAP,
    clients: 2,
    run: isolatedClients,
  },
];

async function acceptAll(bed: Bed): Promise<void> {
  await start(bed, [7, 1], ['vlan-tagging', 'vlan-accept all']);
  await expectReach(bed, 0, [7]);
  await expectReach(bed, 1, [1]);
}

async function acceptTagged(bed: Bed): Promise<void> {
  await start(bed, [7, 9], ['vlan-tagging', 'vlan-accept tagged', 'vlan-pvid 1']);
  await expectReach(bed, 0, [7]);
  await expectReach(bed, 1, [9]);
}

async function acceptUntagged(bed: Bed): Promise<void> {
  await start(bed, [7, 9], ['vlan-tagging', 'vlan-accept untagged', 'vlan-pvid 7']);
  // The server's own VLAN is 7: untagged frames on tap0 belong to it, where 10.1.0.1 lives.
  await expectReach(bed, 0, [1]);
  await expectReach(bed, 1, []);
}

async function betweenClients(bed: Bed): Promise<void> {
  await start(bed, [7, 7], ['vlan-tagging', 'client-to-client']);
  await bed.checkPing('10.7.0.11', { index: 0 });
  await bed.checkPing('10.7.0.1', { index: 0 });
}

async function isolatedClients(bed: Bed): Promise<void> {
  await start(bed, [7, 9], ['vlan-tagging', 'client-to-client']);
  await bed.checkNoPing('10.7.0.11', { index: 0 });
  await bed.checkPing('10.9.0.1', { index: 1 });
}

/** Server and two clients with their VLANs. */
async function start(bed: Bed, vlans: readonly [Vlan, Vlan], lines: readonly string[]): Promise<void> {
  bed.write('client1', `vlan-pvid ${vlans[0]}\n`);
  bed.write('client2', `vlan-pvid ${vlans[1]}\n`);
  await bed.startServer([...lines, `client-config-dir ${bed.dir}`]);
  await joinSwitch(bed);
  await bed.startClient();
  await bed.startClient([], { index: 1, identity: 'client2' });
  giveAddresses(bed, 0);
  giveAddresses(bed, 1);
}

/** tap0 and the trunk of a switch in one bridge, which is in VLAN 1 itself; v7 and v9 are its VLAN devices. */
async function joinSwitch(bed: Bed): Promise<void> {
  const { server } = bed.network;
  const agent = await bed.agent(server);
  await agent.ask({ do: 'vlans', options: { dist: resolve('dist'), trunk: 'trunk0', ids: [7, 9] } });
  bed.ip(server, 'link', 'add', 'br0', 'type', 'bridge');
  for (const device of ['tap0', 'trunk0']) bed.ip(server, 'link', 'set', device, 'up', 'master', 'br0');
  for (const [device, id] of [
    ['br0', 1],
    ['v7', 7],
    ['v9', 9],
  ] as const) {
    bed.ip(server, 'link', 'set', device, 'up');
    bed.ip(server, 'addr', 'add', `10.${id}.0.1/24`, 'dev', device);
  }
}

/** The newest tap device of a client gets an address in every network. */
function giveAddresses(bed: Bed, index: number): void {
  const { ns } = bed.client(index);
  const devices = [...bed.ip(ns, '-o', 'link').matchAll(/: (tap\d+):/g)];
  const device = devices.at(-1)?.[1] ?? 'tap0';
  for (const id of VLANS) bed.ip(ns, 'addr', 'replace', `10.${id}.0.${10 + index}/24`, 'dev', device);
}

async function expectReach(bed: Bed, index: number, reached: readonly Vlan[]): Promise<void> {
  for (const id of VLANS) {
    const host = `10.${id}.0.1`;
    if (reached.includes(id)) await bed.checkPing(host, { index });
    else await bed.checkNoPing(host, { index });
  }
}
