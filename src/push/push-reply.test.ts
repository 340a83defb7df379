import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cipherInfo } from '../crypto/crypto.ts';
import { defaultOptions } from '../options/options.ts';
import { type DataChannelParams, NO_PEER_INFO, parsePeerInfo } from '../ssl/ssl.ts';
import {
  buildPushReplies,
  PushCollector,
  pushReplyItems,
  pushReplyParameters,
  readControlMessage,
} from './push.ts';

const vectors = JSON.parse(readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8')) as {
  push_reply_split: { messages_text: string[] };
};

const option = fc.string({ minLength: 1, maxLength: 120 }).filter((text) => !text.includes(','));

describe('buildPushReplies', () => {
  it('divides as a 2.6.14 server does', () => {
    const expected = vectors.push_reply_split.messages_text;
    const items = expected.flatMap((text) => text.split(',').slice(1));
    const options = items.filter((item) => !item.startsWith('push-continuation'));
    expect(buildPushReplies(options)).toEqual(expected);
  });

  it('sends one empty reply when there is nothing to push', () => {
    expect(buildPushReplies([])).toEqual(['PUSH_REPLY']);
  });

  it('leaves an undivided reply without continuation', () => {
    expect(buildPushReplies(['ping 10', 'topology subnet'])).toEqual(['PUSH_REPLY,ping 10,topology subnet']);
  });

  it('gives up on an option that fits no message', () => {
    expect(buildPushReplies(['x'.repeat(930)])).toBeUndefined();
    expect(buildPushReplies(['x'.repeat(929)])).toEqual([`PUSH_REPLY,${'x'.repeat(929)}`]);
  });

  it('collects to the options that were divided, none longer than 1023 bytes', () => {
    fc.assert(
      fc.property(fc.array(option, { maxLength: 80 }), (options) => {
        const messages = buildPushReplies(options) ?? [];
        const collector = new PushCollector();
        const results = messages.map((text) => {
          expect(Buffer.byteLength(text)).toBeLessThan(1024);
          const message = readControlMessage(text);
          return message.type === 'push-reply' ? collector.add(message.items) : message.type;
        });
        expect(results.at(-1)).toBe('done');
        expect(results.slice(0, -1).every((result) => result === 'more')).toBe(true);
        expect(collector.options).toEqual(options);
      }),
      { numRuns: 100 },
    );
  });
});

describe('push items of a server', () => {
  const params: DataChannelParams = {
    cipher: cipherInfo('AES-256-GCM')!,
    digest: undefined,
    peerId: 3,
    tlsEkm: true,
    dynTlsCrypt: true,
    ccExit: true,
  };
  const addresses = {
    ifconfig: { local: '10.8.0.2', remoteOrNetmask: '255.255.255.0' },
    ifconfigIpv6: { local: 'fd00::1000', bits: 64, remote: 'fd00::1' },
  };
  const peerInfo = parsePeerInfo('IV_MTU=1600\nIV_NCP=2\nIV_CIPHERS=AES-256-GCM\nIV_PROTO=990\n');

  it('come in the order of 2.6', () => {
    const list = { ...defaultOptions(), push: ['route 10.0.0.0', 'tun-ipv6', 'ping 10'] };
    expect(pushReplyItems(list, addresses, { params, peerInfo, tunMtu: 1500, authToken: 'T' })).toEqual([
      'route 10.0.0.0',
      'tun-ipv6',
      'ping 10',
      'ifconfig-ipv6 fd00::1000/64 fd00::1',
      'ifconfig 10.8.0.2 255.255.255.0',
      'peer-id 3',
      'auth-token T',
      'cipher AES-256-GCM',
      'protocol-flags cc-exit tls-ekm dyn-tls-crypt',
      'tun-mtu 1500',
    ]);
  });

  it('tell a client without cc-exit about key export by key-derivation', () => {
    const old = { ...params, ccExit: false, dynTlsCrypt: false };
    expect(pushReplyParameters({ params: old, peerInfo: parsePeerInfo('IV_NCP=2\n'), tunMtu: 1500 })).toEqual(
      ['peer-id 3', 'cipher AES-256-GCM', 'key-derivation tls-ekm'],
    );
  });

  it('push no cipher, peer-id or tun-mtu to a client that knows none of them', () => {
    const old = { ...params, peerId: -1, tlsEkm: false, ccExit: false, dynTlsCrypt: false };
    expect(pushReplyParameters({ params: old, peerInfo: NO_PEER_INFO, tunMtu: 1500 })).toEqual([]);
  });

  it('lack an address that push-remove blocked', () => {
    const old = { ...params, peerId: -1, tlsEkm: false, ccExit: false, dynTlsCrypt: false };
    const input = { params: old, peerInfo: NO_PEER_INFO, tunMtu: 1500 };
    const list = { ...defaultOptions(), pushIfconfigBlocked: true };
    expect(pushReplyItems(list, addresses, input)).toEqual(['ifconfig-ipv6 fd00::1000/64 fd00::1']);
    const other = { ...list, pushIfconfigIpv6Blocked: true };
    expect(pushReplyItems(other, addresses, input)).toEqual([]);
  });

  it("lack routes to the client's own networks", () => {
    const list = {
      ...defaultOptions(),
      push: ['route  192.168.7.0 255.255.255.0 vpn_gateway', 'route 192.168.7.0', 'route-ipv6 fd00:7::/64'],
      iroutes: [{ network: '192.168.7.0', prefix: 24 }],
      iroutesIpv6: [{ network: 'fd00:7::', prefix: 64 }],
    };
    const items = pushReplyItems(list, addresses, { params, peerInfo, tunMtu: 1500 });
    expect(items.filter((item) => item.startsWith('route'))).toEqual(['route 192.168.7.0']);
  });
});
