/**
 * Fuzz entry: any bytes as the IPv4 packet of a DHCP answer, and as the options of a good one. Nothing
 * outside of the packet changes, and a second pass finds no router.
 */
import { extractDhcpRouter } from '../src/forward/dhcp.ts';
import { ipVersion } from '../src/forward/proto.ts';
import { DHCP_ACK, dhcpAnswer } from '../test-kit/dhcp-messages.ts';

const GUARD = Buffer.alloc(64, 0xa5);
const ROUTER_AND_END = [3, 4, 10, 0, 0, 1, 255];

export const target = {
  name: 'dhcp',
  corpus: [dhcpAnswer(DHCP_ACK, ROUTER_AND_END)],
  run(bytes: Uint8Array): void {
    check(bytes);
    check(dhcpAnswer(DHCP_ACK, [...bytes.subarray(0, 600)]));
  },
};

function check(packet: Uint8Array): void {
  const slab = Buffer.concat([GUARD, packet, GUARD]);
  if (ipVersion(slab, GUARD.length, packet.length) !== 4) return;
  extractDhcpRouter(slab, GUARD.length, packet.length);
  const once = Buffer.from(slab);
  if (extractDhcpRouter(slab, GUARD.length, packet.length) !== 0) throw new Error('a router stayed');
  if (!once.equals(slab)) throw new Error('a second pass changed the packet');
  for (const guard of [slab.subarray(0, GUARD.length), slab.subarray(GUARD.length + packet.length)])
    if (!guard.equals(GUARD)) throw new Error('wrote outside of the packet');
}
