/** Static key text: a file written by 2.6.14, 2.x's error texts, and any bytes at all. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CryptoError } from '../base/base.ts';
import { keyHalves, readStaticKey, writeStaticKey } from './static-key.ts';

const HEAD = '-----BEGIN OpenVPN Static key V1-----';
const FOOT = '-----END OpenVPN Static key V1-----';
const LINE = '0123456789abcdef0123456789ABCDEF';

const { static_key_file: vector } = JSON.parse(
  readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8'),
) as {
  static_key_file: { pem_text: string; key: string; keys: { cipher: string; hmac: string }[] };
};

describe('readStaticKey', () => {
  it('reads a file of 2.6.14 and writes it back byte for byte', () => {
    const key2 = readStaticKey(vector.pem_text);
    expect(hex(key2)).toBe(vector.key);
    expect(writeStaticKey(key2)).toBe(vector.pem_text);
    const halves = keyHalves(key2).map((half) => ({ cipher: hex(half.cipher), hmac: hex(half.hmac) }));
    expect(halves).toEqual(vector.keys);
  });

  it('ignores text before the header, white space, CR, upper case and what follows the footer', () => {
    const body = Array(16).fill(` ${LINE}\t`).join('\r\n');
    const key2 = readStaticKey(`hello\n${HEAD}\r\n${body}\r\n\r\n${FOOT}\r\nzz`);
    expect(hex(key2)).toBe(LINE.toLowerCase().repeat(16));
  });

  it('ignores what follows a complete key before the footer', () => {
    expect(readStaticKey(keyText(16, 'not hex'))).toHaveLength(256);
  });

  it('names a character that is not hexadecimal', () => {
    expect(message(`#\n${HEAD}\n${LINE}\n12x4\n`, { file: 'ta.key' })).toBe(
      "Non-Hex character ('x') found at line 4 in key file 'ta.key' (17/128/256 bytes found/min/max)",
    );
    expect(message(`${HEAD}\n\u00e9`)).toBe(
      "Non-Hex, unprintable character (0xc3) found at line 2 in key file '[[INLINE]]' (0/128/256 bytes found/min/max)",
    );
  });

  it('tells missing header, short key and missing footer', () => {
    expect(message('')).toBe(
      "Insufficient key material or header text not found in file '[[INLINE]]' (0/128/256 bytes found/min/max)",
    );
    expect(message(keyText(7))).toContain('(112/128/256 bytes found/min/max)');
    expect(message(keyText(16).replace(FOOT, '-----END'))).toBe(
      "Footer text not found in file '[[INLINE]]' (256/128/256 bytes found/min/max)",
    );
  });

  it('demands two keys unless one will do', () => {
    expect(message(keyText(8), { file: 'ta.key', option: 'tls-auth' })).toBe(
      "Key file 'ta.key' used in --tls-auth contains insufficient key material " +
        "[keys found=1 required=2] -- try generating a new key file with 'openvpn --genkey secret [file]', " +
        'or use the existing key file in bidirectional mode by specifying --tls-auth without a key direction parameter',
    );
    const one = readStaticKey(keyText(10), { keys: 1 });
    expect(hex(one)).toBe(LINE.toLowerCase().repeat(8) + '00'.repeat(128));
  });

  it('reads back every key that it writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 256, maxLength: 256 }), (key2) => {
        expect(hex(readStaticKey(writeStaticKey(key2)))).toBe(hex(key2));
      }),
    );
  });

  it('gives a key or a CryptoError for any bytes', () => {
    const pieces = fc.constantFrom(HEAD, FOOT, LINE, '\n', ' ', '-', 'g', '\0', LINE.repeat(8));
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 40 }), (parts) => {
        try {
          expect(readStaticKey(parts.join(''), { keys: 1 })).toHaveLength(256);
        } catch (error) {
          expect(error).toBeInstanceOf(CryptoError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function keyText(lines: number, tail = ''): string {
  return `${HEAD}\n${`${LINE}\n`.repeat(lines)}${tail}\n${FOOT}\n`;
}

function message(text: string, source: Parameters<typeof readStaticKey>[1] = {}): string {
  try {
    readStaticKey(text, source);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}
