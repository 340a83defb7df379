/** key-method-2.ts against messages of live peers, and hostile ones. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type KeyMessage,
  readKeyMessage,
  replaceControlCharacters,
  splitControlMessages,
  writeKeyMessage,
} from './key-method-2.ts';

interface Vector {
  readonly peer: string;
  readonly client_message: string;
  readonly server_message: string;
  readonly client_fields: Fields;
  readonly server_fields: Fields;
}
interface Fields {
  readonly options_text: string;
  readonly username_text: string;
  readonly password_text: string;
  readonly peer_info_text: string;
}

const vectors = JSON.parse(readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8')) as {
  readonly key_method_2: readonly Vector[];
};

function read(bytes: Uint8Array, fromClient: boolean): KeyMessage {
  const message = readKeyMessage(bytes, fromClient);
  if (message === 'incomplete' || 'text' in message) throw new Error(JSON.stringify(message));
  return message;
}

describe('key method 2 message', () => {
  for (const vector of vectors.key_method_2) {
    for (const side of ['client', 'server'] as const) {
      it(`of a ${vector.peer} ${side} is read and written back byte for byte`, () => {
        const bytes = Uint8Array.from(Buffer.from(vector[`${side}_message`], 'hex'));
        const fields = vector[`${side}_fields`];
        const message = read(bytes, side === 'client');
        expect(message).toMatchObject({
          options: fields.options_text,
          username: fields.username_text,
          password: fields.password_text,
          peerInfo: fields.peer_info_text,
          credentialsTooLong: false,
        });
        expect(message.source.preMaster?.length).toBe(side === 'client' ? 48 : undefined);
        const { source, options, peerInfo } = message;
        expect(writeKeyMessage({ source, options, peerInfo, credentials: undefined })).toEqual(bytes);
      });

      it(`of a ${vector.peer} ${side} may end after any string, and is incomplete anywhere else`, () => {
        const bytes = Uint8Array.from(Buffer.from(vector[`${side}_message`], 'hex'));
        const optionsAt = 5 + (side === 'client' ? 48 : 0) + 64;
        const optionsEnd = optionsAt + 2 + vector[`${side}_fields`].options_text.length + 1;
        const complete = new Set([optionsAt, optionsEnd, optionsEnd + 2, optionsEnd + 4, bytes.length]);
        for (let length = 0; length <= bytes.length; length++) {
          const result = readKeyMessage(bytes.subarray(0, length), side === 'client');
          expect([length, result === 'incomplete']).toEqual([length, !complete.has(length)]);
        }
      });
    }
  }

  const source = {
    preMaster: new Uint8Array(48).fill(1),
    random1: new Uint8Array(32).fill(2),
    random2: new Uint8Array(32).fill(3),
  };

  it('carries credentials of any text', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 100, unit: 'grapheme' }),
        fc.string({ maxLength: 100 }),
        (user, pass) => {
          fc.pre(![user, pass].some((text) => text.includes('\0')));
          const bytes = writeKeyMessage({
            source,
            options: 'V4',
            peerInfo: 'IV_VER=1\n',
            credentials: { username: user, password: pass },
          })!;
          expect(read(bytes, true)).toMatchObject({
            username: user,
            password: pass,
            peerInfo: 'IV_VER=1\n',
            source,
          });
        },
      ),
    );
  });

  it('is not written when a 2.x peer could not read it', () => {
    const credentials = { username: 'a', password: 'b'.repeat(2000) };
    expect(writeKeyMessage({ source, options: 'V4', peerInfo: '', credentials })).toBeUndefined();
  });

  it('names what is wrong with method, options and credentials', () => {
    const good = writeKeyMessage({ source, options: 'V4', peerInfo: '', credentials: undefined })!;
    const method1 = good.slice();
    method1[4] = 1;
    expect(readKeyMessage(method1, true)).toEqual({
      text: 'TLS ERROR: Unknown key_method/flags=1 received from remote host',
    });
    const long = writeKeyMessage({ source, options: 'x'.repeat(600), peerInfo: '', credentials: undefined })!;
    expect(readKeyMessage(long, true)).toEqual({
      text: 'TLS Error: Failed to read required OCC options string',
    });
    const longUser = Buffer.concat([good.subarray(0, -6), Buffer.from([0x13, 0x88]), Buffer.alloc(5000, 65)]);
    expect(read(longUser, true)).toMatchObject({ credentialsTooLong: true, username: '' });
  });

  it('never throws on garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, fromClient) => {
        readKeyMessage(bytes, fromClient);
        if (bytes.length > 4) bytes[4] = 2;
        readKeyMessage(bytes, fromClient);
      }),
    );
  });
});

describe('control messages', () => {
  const split = (text: string) => splitControlMessages(new TextEncoder().encode(text));

  it('are split at NULs; what has none is dropped', () => {
    expect(split('PUSH_REQUEST\0EXIT\0cut').messages).toEqual(['PUSH_REQUEST', 'EXIT']);
    expect(split('cut').messages).toEqual([]);
    expect(split('\0\0A\0').messages).toEqual(['A']);
  });

  it('lose CR and LF at the end, and are refused with other control characters', () => {
    expect(split('INFO,x\r\n\0').messages).toEqual(['INFO,x']);
    const { messages, invalid } = split('a\nb\0c\u007f\0ok ü\0');
    expect(messages).toEqual(['ok ü']);
    expect(invalid.map((bytes) => Buffer.from(bytes).toString())).toEqual(['a\nb', 'c\u007f']);
  });

  it('are all there is for any chunk', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (chunk) => {
        for (const text of splitControlMessages(chunk).messages) {
          expect(text).toBe(replaceControlCharacters(text));
          expect(text).not.toBe('');
        }
      }),
    );
  });
});
