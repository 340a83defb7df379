/** SOCKS messages against what a 2.6.14 client sent (test-kit/vectors.json). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import vectors from '../../test-kit/vectors.json' with { type: 'json' };
import { addressFromWords, addressToWords, PACKET_HEADROOM, PacketBatch } from '../base/base.ts';
import {
  readSocksLogin,
  readSocksMethod,
  readSocksReply,
  readSocksUdpHead,
  SOCKS_LOGIN,
  SOCKS_NO_LOGIN,
  SOCKS_UDP_ASSOCIATE,
  socksConnect,
  socksGreeting,
  socksLogin,
  writeSocksUdpHead,
} from './socks-message.ts';

const { socks5 } = vectors.proxy;

describe('SOCKS requests', () => {
  it('are those of a live 2.6 client', () => {
    expect(hex(socksGreeting(SOCKS_NO_LOGIN))).toBe(socks5.greeting_noauth);
    expect(hex(socksGreeting(SOCKS_LOGIN))).toBe(socks5.greeting_auth);
    expect(hex(socksLogin('user', 'pass')!)).toBe(socks5.auth);
    expect(hex(socksConnect('10.99.7.1', 11940))).toBe(socks5.connect_domain);
    expect(hex(SOCKS_UDP_ASSOCIATE)).toBe(socks5.udp_associate);
  });

  it('take logins up to 255 bytes each', () => {
    expect(socksLogin('u'.repeat(255), 'p'.repeat(255))).toHaveLength(513);
    expect(socksLogin('u'.repeat(256), 'p')).toBeUndefined();
    expect(socksLogin('u', 'ü'.repeat(128))).toBeUndefined();
  });
});

describe('SOCKS answers', () => {
  it('must choose the method that was offered', () => {
    expect(readSocksMethod(Uint8Array.of(5), 0).type).toBe('more');
    expect(readSocksMethod(Uint8Array.of(5, 0), 0)).toEqual({ type: 'done', value: true, used: 2 });
    expect(readSocksMethod(Uint8Array.of(5, 2), 0).type).toBe('bad');
    expect(readSocksMethod(Uint8Array.of(4, 0), 0).type).toBe('bad');
  });

  it('accept a login with version 1 or 5, never with a status', () => {
    for (const version of [1, 5]) {
      expect(readSocksLogin(Uint8Array.of(version, 0)).type).toBe('done');
      expect(readSocksLogin(Uint8Array.of(version, 1)).type).toBe('bad');
    }
    expect(readSocksLogin(Uint8Array.of(0, 0)).type).toBe('bad');
  });

  it('carry addresses of three types', () => {
    const four = Uint8Array.of(5, 0, 0, 1, 192, 0, 2, 7, 0x12, 0x34);
    expect(readSocksReply(four)).toEqual({
      type: 'done',
      used: 10,
      value: { family: 4, address: '192.0.2.7', port: 0x1234 },
    });
    expect(readSocksReply(Uint8Array.of(5, 0, 0, 3, 2, 97, 98, 0, 1, 99))).toMatchObject({ used: 9 });
    expect(readSocksReply(Uint8Array.of(5, 0, 0, 4, ...new Array(18).fill(1)))).toMatchObject({ used: 22 });
    expect(readSocksReply(Uint8Array.of(5, 0, 0, 2, 0)).type).toBe('bad');
    expect(readSocksReply(Uint8Array.of(5, 1, 0, 1, 0, 0, 0, 0, 0, 0)).type).toBe('bad');
  });

  it('are never used beyond their end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const read of [readSocksLogin, readSocksReply, (b: Uint8Array) => readSocksMethod(b, 0)]) {
          const answer = read(bytes);
          if (answer.type === 'done') expect(answer.used).toBeLessThanOrEqual(bytes.length);
        }
      }),
    );
  });
});

describe('SOCKS datagrams', () => {
  it('carry the server in front of the packet, in the headroom', () => {
    const batch = new PacketBatch(1);
    batch.push(Uint8Array.of(1, 2, 3));
    addressToWords({ family: 4, address: '10.99.7.1', port: 11940 }, batch.addresses, 0);
    writeSocksUdpHead(batch, 0);
    expect(hex(batch.packet(0))).toBe(`${socks5.udp_header_example}010203`);
    expect(batch.offsets[0]).toBe(PACKET_HEADROOM - 10);
    batch.addresses.fill(-1);
    expect(readSocksUdpHead(batch, 0)).toBe(true);
    expect(hex(batch.packet(0))).toBe('010203');
    expect(addressFromWords(batch.addresses, 0)).toEqual({ family: 4, address: '10.99.7.1', port: 11940 });
  });

  it('are dropped as fragments, of other address types and without a packet', () => {
    const good = Buffer.from(`${socks5.udp_header_example}01`, 'hex');
    const changed = (at: number, to: number) => Buffer.from(good.map((byte, i) => (i === at ? to : byte)));
    for (const bad of [changed(2, 1), changed(3, 3), changed(3, 4), good.subarray(0, 10), Buffer.of(0)]) {
      const batch = new PacketBatch(1);
      batch.push(bad);
      expect(readSocksUdpHead(batch, 0)).toBe(false);
    }
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
