/** Errors that the network tells while a client waits for its server, and which of them end the attempt. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Station, TunnelWorld } from '../../test-kit/tunnel-world.ts';
import type { LinkErrno } from '../socket/socket.ts';

const TWO_REMOTES = 'remote 192.0.2.9 1194\nremote 192.0.2.1 1194';
const RESTART = 'SIGUSR1[soft,network-unreachable] received, process restarting';

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(() => world.close());

describe('a client without a route to its server', () => {
  it('takes the next remote at once, in the words of 2.x', async () => {
    await world.serving();
    const alice = await waiting(TWO_REMOTES);
    const seen = alice.log.lines.length;
    report(alice, 'write', 'ENETUNREACH');
    await world.until(() => alice.ups === 1, 3000);
    expect(alice.log.lines.slice(seen, seen + 4)).toEqual([
      'write UDPv4 []: ENETUNREACH',
      'Network unreachable, restarting',
      RESTART,
      'Restart pause, 1 second(s)',
    ]);
    const [, info] = alice.infos.find(([state]) => state === 'RECONNECTING')!;
    expect(info).toMatchObject({
      reason: 'network-unreachable',
      error: { code: 'ERR_OVPN_UNREACHABLE', cause: { code: 'ENETUNREACH' } },
    });
  });

  it.each([
    ['read', 'ENETUNREACH'],
    ['read', 'EHOSTUNREACH'],
    ['read', 'ECONNREFUSED'],
    ['write', 'EPERM'],
    ['write', 'EHOSTUNREACH'],
  ])('goes on waiting after %s %s, as 2.x does, and remembers what it was', async (syscall, code) => {
    const alice = await waiting(`${TWO_REMOTES}\nconnect-timeout 5`);
    report(alice, syscall, code);
    await world.run(3000);
    expect(alice.count('Restart pause')).toBe(0);
    await world.until(() => alice.states.includes('RECONNECTING'));
    expect(alice.count('SIGUSR1[soft,server_poll]')).toBe(1);
    const [, info] = alice.infos.find(([state]) => state === 'RECONNECTING')!;
    const meaning = /UNREACH/.test(code) ? 'ERR_OVPN_UNREACHABLE' : 'ERR_OVPN_REFUSED';
    expect(info.error).toMatchObject({ code: meaning, cause: { code } });
  });

  it('stays with a server that has answered', async () => {
    await world.serving();
    const alice = await world.connected('alice');
    report(alice, 'write', 'ENETUNREACH');
    await world.run(5000);
    expect([alice.count('Network unreachable, restarting'), alice.ups]).toEqual([0, 1]);
  });

  it('stays without TLS, where nobody answers', async () => {
    const secret = `<secret>\n-----BEGIN OpenVPN Static key V1-----\n${'0123456789abcdef0123456789abcdef\n'.repeat(16)}-----END OpenVPN Static key V1-----\n</secret>`;
    const left = world.peer(
      `dev tun\nremote 192.0.2.9 1194\nifconfig 10.1.0.1 10.1.0.2\ncipher AES-256-CBC\n${secret}`,
      undefined,
    );
    await world.until(() => left.sockets.links.length === 1);
    report(left, 'write', 'ENETUNREACH');
    await world.run(5000);
    expect(left.count('Network unreachable, restarting')).toBe(0);
  });
});

/** A client that waits for a server that keeps silent. */
async function waiting(extra: string): Promise<Station> {
  const alice = world.client('alice', extra);
  await world.until(() => alice.states.at(-1) === 'WAIT');
  return alice;
}

function report(station: Station, syscall: string, code: string): void {
  const error: LinkErrno = Object.assign(new Error(`${syscall} UDPv4 []: ${code}`), { code, syscall });
  station.sockets.links.at(-1)!.onError(error);
}
