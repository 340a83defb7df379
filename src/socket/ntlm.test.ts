/** MD4 and NTLM against the known answers of RFC 1320 and [MS-NLMP] 4.2.4. */
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { md4 } from './md4.ts';
import {
  NTLM_NEGOTIATE,
  ntlmV1Response,
  ntlmV2Key,
  readNtlmChallenge,
  writeNtlmAuthenticate,
  writeNtlmV1Authenticate,
} from './ntlm.ts';

describe('md4', () => {
  it.each([
    ['', '31d6cfe0d16ae931b73c59d7e0c089c0'],
    ['a', 'bde52cb31de33e46245e05fbdbd6fb24'],
    ['abc', 'a448017aaf21d8525fc10ae87aa6729d'],
    ['message digest', 'd9130a8164549fe818874806e1c7014b'],
    ['abcdefghijklmnopqrstuvwxyz', 'd79e1c308aa5bbcdeea8ed63df412da9'],
    ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', '043f8582f241db351ce627e153e7f0e4'],
    ['1234567890'.repeat(8), 'e33b4ddc9c38f2199c3e7b164fcc0536'],
  ])('hashes %j as RFC 1320 says', (text, digest) => {
    expect(md4(Buffer.from(text)).toString('hex')).toBe(digest);
  });
});

describe('NTLM', () => {
  it('derives the key of [MS-NLMP] 4.2.4.1.1', () => {
    expect(ntlmV2Key('User', 'Domain', 'Password').toString('hex')).toBe('0c868a403bfd7a93a3001ef22ef02e3f');
  });

  it('responds by version 1 as [MS-NLMP] 4.2.2.2.1 says', () => {
    const asked = readNtlmChallenge(challenge({ flags: 0x202 }))!;
    const response = '67c43011f30298a2ad35ece64f16331c44bdbed927841f94';
    expect(ntlmV1Response(asked.challenge, 'Password').toString('hex')).toBe(response);
    const login = { username: 'Domain\\User', password: 'Password' };
    const answer = Buffer.from(writeNtlmV1Authenticate(asked, login), 'base64');
    expect([20, 28, 36, 12].map((at) => field(answer, at).toString('latin1'))).toEqual([
      Buffer.from(response, 'hex').toString('latin1'),
      'Domain',
      'User',
      '',
    ]);
  });

  it('reads a challenge with and without target information', () => {
    expect(readNtlmChallenge(challenge({ flags: 0x202 }))).toEqual({
      challenge: Buffer.from('0123456789abcdef', 'hex'),
      targetInfo: new Uint8Array(0),
    });
    const info = Buffer.from('some info');
    const read = readNtlmChallenge(challenge({ flags: 0x00800202, info }));
    expect(Buffer.from(read!.targetInfo).toString()).toBe('some info');
  });

  it('refuses what is no challenge, or one that points outside of itself', () => {
    expect(readNtlmChallenge(NTLM_NEGOTIATE)).toBeUndefined();
    expect(readNtlmChallenge('')).toBeUndefined();
    const outside = Buffer.from(challenge({ flags: 0x00800202, info: Buffer.from('x') }), 'base64');
    outside.writeUInt32LE(0xfffffff0, 44);
    expect(readNtlmChallenge(outside.toString('base64'))).toBeUndefined();
  });

  it('answers with a proof over challenge and blob, user and domain in their places', () => {
    const info = Buffer.from('target info');
    const asked = readNtlmChallenge(challenge({ flags: 0x00800202, info }))!;
    const nonce = Buffer.from('aaaaaaaaaaaaaaaa', 'hex');
    const login = { username: 'Domain\\User', password: 'Password', nonce, wallMs: 0 };
    const answer = Buffer.from(writeNtlmAuthenticate(asked, login), 'base64');
    expect([answer.toString('latin1', 0, 8), answer.readUInt32LE(8), answer.readUInt32LE(60)]).toEqual([
      'NTLMSSP\0',
      3,
      0x202,
    ]);
    const response = field(answer, 20);
    const blob = response.subarray(16);
    const key = ntlmV2Key('User', 'Domain', 'Password');
    expect(response.subarray(0, 16)).toEqual(
      createHmac('md5', key).update(asked.challenge).update(blob).digest(),
    );
    // 1970 as a FILETIME.
    expect(blob.toString('hex')).toBe(
      `0101000000000000${'00803ed5deb19d01'}${nonce.toString('hex')}00000000${info.toString('hex')}00000000`,
    );
    expect([field(answer, 28).toString(), field(answer, 36).toString()]).toEqual(['Domain', 'User']);
  });

  it('never reads outside of a message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const message = Buffer.concat([Buffer.from('NTLMSSP\0\x02\0\0\0', 'latin1'), bytes]);
        const read = readNtlmChallenge(message.toString('base64'));
        if (read === undefined) return;
        expect(read.challenge).toHaveLength(8);
        expect(read.targetInfo.length).toBeLessThanOrEqual(message.length);
      }),
    );
  });
});

function challenge({ flags, info = Buffer.alloc(0) }: { flags: number; info?: Buffer }): string {
  const head = Buffer.alloc(48);
  head.write('NTLMSSP\0', 'latin1');
  head.writeUInt32LE(2, 8);
  head.writeUInt32LE(flags, 20);
  head.write('0123456789abcdef', 24, 'hex');
  head.writeUInt16LE(info.length, 40);
  head.writeUInt16LE(info.length, 42);
  head.writeUInt32LE(48, 44);
  return Buffer.concat([head, info]).toString('base64');
}

function field(message: Buffer, at: number): Buffer {
  const offset = message.readUInt32LE(at + 4);
  return message.subarray(offset, offset + message.readUInt16LE(at));
}
