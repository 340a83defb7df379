import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TUN_FRAME } from '../../test-kit/frames.ts';
import { cipherInfo, digestInfo } from '../crypto/crypto.ts';
import type { FrameCrypto, FrameOptions, MssfixOptions } from './forward.ts';
import { fragmentSize, frameText, linkMtu, mssfixTarget } from './mtu.ts';

interface MssCase {
  config_text: string;
  cipher: string;
  auth: string;
  transport: 'udp4' | 'tcp4';
  mss: number;
  max_fragment: number;
}
const vectors = JSON.parse(readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8')) as {
  mss: { cases: MssCase[] };
};

describe('mssfixTarget and fragmentSize', () => {
  it.each(vectors.mss.cases)(
    '$config_text $cipher $auth $transport: mss $mss, fragment $max_fragment',
    (vector) => {
      const frame = frameOf(vector);
      const epoch = vector.config_text.includes('aead-epoch');
      const crypto = { ...cryptoOf(vector.cipher, vector.auth), epoch };
      expect(mssfixTarget(frame, crypto)).toBe(vector.mss);
      expect(fragmentSize(frame, crypto)).toBe(vector.max_fragment);
    },
  );

  it('leave packets alone without mssfix', () => {
    expect(mssfixTarget({ ...TUN_FRAME, mssfix: undefined }, cryptoOf('AES-256-GCM', '-'))).toBe(0);
  });

  it('never give a negative size', () => {
    const tiny = {
      ...TUN_FRAME,
      mssfix: { bytes: 40, mode: undefined },
      fragment: { bytes: 30, encap: true },
    };
    expect(mssfixTarget(tiny, cryptoOf('AES-256-CBC', 'SHA512'))).toBe(0);
    expect(fragmentSize(tiny, cryptoOf('AES-256-CBC', 'SHA512'))).toBe(0);
  });

  it('count IPv6 below the link', () => {
    expect(mssfixTarget({ ...TUN_FRAME, family: 6 }, cryptoOf('AES-256-GCM', '-'))).toBe(1380);
  });
});

describe('linkMtu of the options string', () => {
  const occ = (cipher: string, auth: string, change: Partial<FrameOptions> = {}): number =>
    linkMtu({ ...TUN_FRAME, ...change }, cryptoOf(cipher, auth), true);

  it.each([
    ['AES-256-CBC', 'SHA1', 1557],
    ['AES-256-CBC', 'SHA256', 1569],
    ['AES-256-GCM', 'SHA1', 1549],
    ['CHACHA20-POLY1305', 'SHA1', 1534],
    ['none', 'SHA1', 1525],
  ])('%s %s: %i', (cipher, auth, expected) => {
    expect(occ(cipher, auth)).toBe(expected);
  });

  it('grows by the tcp length, the tap header and the fragment header', () => {
    expect(occ('AES-256-CBC', 'SHA1', { transport: 'tcp' })).toBe(1559);
    expect(occ('AES-256-CBC', 'SHA1', { dev: 'tap', tunMtuExtra: 32 })).toBe(1589);
    expect(occ('AES-256-CBC', 'SHA1', { fragment: { bytes: 1300, encap: false } })).toBe(1561);
  });

  it('uses the long packet id with static keys', () => {
    const crypto = { ...cryptoOf('AES-256-CBC', 'SHA1'), header: undefined };
    expect(linkMtu(TUN_FRAME, crypto, true)).toBe(1560);
  });

  it('is the true size of a link packet otherwise', () => {
    expect(linkMtu(TUN_FRAME, cryptoOf('AES-256-GCM', '-'), false)).toBe(1524);
  });
});

describe('frameText', () => {
  it('has the form that tools know', () => {
    const buffer = { tunMtuMax: 1600, headroom: 136, payload: 1768, tailroom: 562 };
    expect(frameText(TUN_FRAME, cryptoOf('AES-256-GCM', '-'), buffer)).toBe(
      '[ mss_fix:1400 max_frag:0 tun_mtu:1500 tun_max_mtu:1600 headroom:136 payload:1768 tailroom:562 ET:0 ]',
    );
  });
});

function cryptoOf(cipher: string, auth: string): FrameCrypto {
  const digest = auth === '-' ? undefined : digestInfo(auth);
  return { cipher: cipher === 'none' ? undefined : cipherInfo(cipher), digest, header: 'v2' };
}

function frameOf(vector: MssCase): FrameOptions {
  const [option, number, mode] = vector.config_text.split(' ');
  const fragment = option === '--fragment' ? { bytes: Number(number), encap: mode === 'mtu' } : undefined;
  const mssfix: MssfixOptions =
    option === '--mssfix'
      ? { bytes: Number(number), mode: mode === 'fixed' || mode === 'mtu' ? mode : undefined }
      : { bytes: fragment?.bytes ?? 1492, mode: 'mtu' };
  const compBytes = option === '--compress' ? 1 : 0;
  return {
    ...TUN_FRAME,
    transport: vector.transport === 'tcp4' ? 'tcp' : 'udp',
    mssfix,
    fragment,
    compBytes,
  };
}
