/** Which nodes a prebuilt addon fits. */
import { describe, expect, it } from 'vitest';
import { prebuiltMismatch } from './prebuilt.ts';

const needs = { napi: 8, openssl: '3.0.19', uv: '1.46.0', glibc: '2.14' };
const same = { napi: '9', openssl: '3.0.19', uv: '1.46.0', musl: false };

describe('prebuiltMismatch()', () => {
  it('takes the node of the build, other patches and later minor versions', () => {
    expect(prebuiltMismatch(needs, same)).toBeUndefined();
    expect(prebuiltMismatch(needs, { ...same, openssl: '3.0.2+quic' })).toBeUndefined();
    expect(prebuiltMismatch(needs, { ...same, napi: '10', openssl: '3.5.1', uv: '1.51.0' })).toBeUndefined();
  });

  it.each([
    [{ musl: true }, "it needs glibc 2.14 or newer, and this system's C library is musl"],
    [{ napi: '7' }, 'it needs N-API 8, this node has 7'],
    [
      { openssl: '1.1.1' },
      'it is for OpenSSL 3.0.19 and later ones of that major version, this node has 1.1.1',
    ],
    [
      { openssl: '4.0.0' },
      'it is for OpenSSL 3.0.19 and later ones of that major version, this node has 4.0.0',
    ],
    [
      { openssl: undefined },
      'it is for OpenSSL 3.0.19 and later ones of that major version, this node has none',
    ],
    [{ uv: '1.44.2' }, 'it is for libuv 1.46.0 and later ones of that major version, this node has 1.44.2'],
    [{ uv: '2.0.0' }, 'it is for libuv 1.46.0 and later ones of that major version, this node has 2.0.0'],
  ])('names what does not fit: %j', (other, text) => {
    expect(prebuiltMismatch(needs, { ...same, ...other })).toBe(text);
  });
});
