/** What is read of DER besides certificates. */
import { describe, expect, it } from 'vitest';
import { toPem } from '../../test-kit/odd-certificates.ts';
import { FFDHE2048 } from '../../test-kit/tls-pki.ts';
import { dhBits } from './der.ts';

const pem = (hex: string): string => toPem('DH PARAMETERS', Buffer.from(hex, 'hex'));

describe('dhBits', () => {
  it('is the length of the prime', () => {
    expect(dhBits(FFDHE2048)).toBe(2048);
    expect(dhBits(pem('3007020201ff020102'))).toBe(9);
    expect(dhBits(pem('300602017f020102'))).toBe(7);
  });

  it.each(['', 'x', pem(''), pem('3000'), pem('3003020100'), pem('3004020500ff')])('is 0 for %j', (text) => {
    expect(dhBits(text)).toBe(0);
  });
});
