/**
 * Fuzz entry of --client-nat, --block-ipv6, --passtos, `route-gateway dhcp` and the check for recursive routing: any
 * bytes as a packet or frame of either side. Nothing outside its slot changes, it doesn't grow, answers fit the
 * device and stay few.
 */
import { nullLogger, PacketBatch } from '../src/base/base.ts';
import { InnerRules } from '../src/forward/inner-rules.ts';

const MTU = 1500;
const GUARD = 0xa5;
const [SNAT, DNAT] = ['snat', 'dnat'] as const;
const NAT = [
  { type: SNAT, network: 0x0a080000, netmask: -65536, foreign: 0x0a4d0000 },
  { type: DNAT, network: 0x0a400000, netmask: -65536, foreign: 0x0a500000 },
];
const rules = (['tun', 'tap'] as const).map((dev) => {
  const onDhcpRouter = (router: string): void => {
    if (!/^\d+\.\d+\.\d+\.\d+$/.test(router)) throw new Error(`router ${router}`);
  };
  const options = {
    clientNat: NAT,
    blockIpv6: 'both' as const,
    remoteIpv6: 'fd00::1',
    passtos: true,
    linkRemote: { family: 4 as const, address: '192.0.2.1', port: 1194 },
    onDhcpRouter,
  };
  return new InnerRules(options, dev, MTU, nullLogger);
});
const batch = new PacketBatch(3, MTU + 100);

export const target = {
  name: 'inner-rules',
  run(bytes: Uint8Array): void {
    const inner = rules[(bytes.at(-1) ?? 0) & 1]!;
    const packet = bytes.subarray(0, batch.maxPacketBytes);
    for (const way of ['outgoing', 'incoming'] as const) {
      load(packet);
      inner[way](batch, 1);
      const length = batch.lengths[1]!;
      if (length !== 0 && length !== packet.length)
        throw new Error(`${packet.length} bytes became ${length}`);
      checkGuards();
    }
    for (const answers of [inner.toTun, inner.toPeer]) {
      if (!answers) continue;
      if (answers.count > answers.capacity) throw new Error('too many answers');
      for (let i = 0; i < answers.count; i++) {
        if (answers.lengths[i]! > MTU + 14 || answers.lengths[i]! < 48) throw new Error('an odd answer');
      }
      answers.clear();
    }
  },
};

function load(packet: Uint8Array): void {
  batch.clear();
  batch.slab.fill(GUARD);
  batch.push(Uint8Array.of(GUARD));
  batch.push(packet);
  batch.push(Uint8Array.of(GUARD));
}

function checkGuards(): void {
  const { slab, slotSize } = batch;
  for (let i = 0; i < slotSize; i++) {
    if (slab[i] !== GUARD || slab[2 * slotSize + i] !== GUARD) throw new Error('wrote outside the slot');
  }
}
