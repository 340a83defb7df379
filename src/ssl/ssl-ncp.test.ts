/** Cipher negotiation and peer info: what real peers announce, and what comes of it. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultPeerInfo, IV_PROTO_PUSH_UPDATE, ivProto, parsePeerInfo } from './peer-info.ts';
import { negotiateP2p, negotiateServerCipher, optionsCipher, pickClientCipher } from './ssl-ncp.ts';

const vectors = JSON.parse(readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8')) as {
  readonly peer_info: Readonly<Record<string, readonly string[]>>;
  readonly p2p_ncp: readonly { readonly name: string; readonly peer_info_of_server_text: string }[];
};
const CIPHERS = ['AES-256-GCM', 'AES-128-GCM', 'CHACHA20-POLY1305'];
const nothing = parsePeerInfo('');

describe('peer info', () => {
  const base = {
    version: '2.6.14',
    platform: 'linux',
    pull: true,
    ciphers: CIPHERS,
    tunMtuMax: 1600,
    compression: ['IV_LZO_STUB=1', 'IV_COMP_STUB=1', 'IV_COMP_STUBv2=1'],
  };

  it('is what a 2.6.14 client with --push-peer-info sends, and PUSH_UPDATE of 2.7', () => {
    const push = { ssl: 'OpenSSL_3.0.22_25_Aug_2026', platformVersion: '<kernel>' };
    const lines = defaultPeerInfo({ ...base, push })
      .split('\n')
      .slice(0, -1);
    const recorded = vectors.peer_info['2.6.14 --push-peer-info']?.map((line) =>
      line === 'IV_PROTO=990' ? `IV_PROTO=${990 + IV_PROTO_PUSH_UPDATE}` : line,
    );
    expect(lines).toEqual(recorded);
  });

  it('of a P2P peer is short', () => {
    expect(defaultPeerInfo({ ...base, pull: false })).toBe(
      'IV_CIPHERS=AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305\nIV_PROTO=746\n',
    );
    expect([ivProto(true), ivProto(false)]).toEqual([990 + IV_PROTO_PUSH_UPDATE, 746]);
    expect([ivProto(true, true), ivProto(false, true)]).toEqual([2014 + IV_PROTO_PUSH_UPDATE, 1770]);
  });

  it('takes only the variables from the environment that it may', () => {
    const env = ['UV_A=1', 'IV_GUI_VER=gui 1', 'IV_SSO=webauth', 'HOME=/root', 'UV_B=x\nIV_PROTO=1'];
    expect(defaultPeerInfo({ ...base, env })).toMatch(
      /IV_COMP_STUBv2=1\nIV_GUI_VER=gui 1\nIV_SSO=webauth\n$/,
    );
    const pushed = defaultPeerInfo({
      ...base,
      env,
      push: { ssl: 's', platformVersion: 'v', hwaddr: '02:00' },
    });
    expect(pushed).toContain('IV_HWADDR=02:00\nIV_SSL=s\nIV_PLAT_VER=v\nUV_A=1\n');
    expect(pushed).not.toMatch(/HOME|UV_B/);
  });

  it('announces IV_NCP only with both GCMs, and stays within 2.x buffer', () => {
    expect(defaultPeerInfo({ ...base, ciphers: ['AES-256-GCM'] })).not.toContain('IV_NCP');
    const env = Array.from({ length: 100 }, (_, i) => `UV_${i}=${'x'.repeat(60)}`);
    const text = defaultPeerInfo({ ...base, env, push: { ssl: 's', platformVersion: 'v' } });
    expect(text.length).toBeLessThan(1536);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('of all versions is read', () => {
    const read = (name: string) => parsePeerInfo(vectors.peer_info[name]!.join('\n'));
    expect(read('2.4.12')).toMatchObject({ version: '2.4.12', proto: 2, ncp: 2, mtu: 0 });
    expect(read('2.5.11')).toMatchObject({ proto: 6, ciphers: ['AES-256-GCM', 'AES-128-GCM'] });
    expect(read('2.7.6')).toMatchObject({ proto: 8094, mtu: 1600, platform: 'linux' });
    expect(read('2.8_git')).toMatchObject({ version: '2.8_git', proto: 8094, ciphers: CIPHERS });
    expect(read('v3 3.12_git').version).toBe('3.12_git:master');
  });

  it('of any text is read without exception', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 500 }), (text) => {
        const info = parsePeerInfo(text);
        expect(info.proto).toBeGreaterThanOrEqual(0);
        expect(info.values.size).toBeLessThanOrEqual(128);
      }),
    );
    expect(parsePeerInfo('IV_PROTO=-5\nIV_NCP=abc\nIV_MTU=99999999999').proto).toBe(0);
  });
});

describe('server choice', () => {
  const choose = (peerInfo: string, remoteOptions = '', fallback?: string) =>
    negotiateServerCipher({
      dataCiphers: CIPHERS,
      fallback,
      remoteOptions,
      peerInfo: parsePeerInfo(peerInfo),
    });

  it('is the first own cipher that the client has', () => {
    expect(choose('IV_CIPHERS=CHACHA20-POLY1305:AES-128-GCM').cipher).toBe('AES-128-GCM');
    expect(choose('IV_NCP=2').cipher).toBe('AES-256-GCM');
  });

  it('takes the cipher of the options string only from clients without IV_CIPHERS', () => {
    expect(choose('', 'V4,cipher CHACHA20-POLY1305,auth SHA1').cipher).toBe('CHACHA20-POLY1305');
    expect(choose('IV_CIPHERS=BF-CBC', 'V4,cipher AES-256-GCM')).toMatchObject({
      cipher: undefined,
      reason: 'Data channel cipher negotiation failed (no shared cipher)',
      log: [
        "PUSH: No common cipher between server and client. Server data-ciphers: 'AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305', client supported ciphers 'BF-CBC'",
      ],
    });
  });

  it('falls back only when nothing is known about the client', () => {
    expect(choose('', 'V4', 'AES-256-CBC').cipher).toBe('AES-256-CBC');
    expect(choose('', 'V4,cipher BF-CBC', 'AES-256-CBC').cipher).toBeUndefined();
    expect(choose('', '').cipher).toBeUndefined();
  });
});

describe('client choice', () => {
  const pick = (pushed: string | undefined, remoteOptions = '', fallback?: string) =>
    pickClientCipher({ dataCiphers: CIPHERS, fallback, remoteOptions, pushed });

  it('takes what is pushed when it is allowed', () => {
    expect(pick('AES-128-GCM').cipher).toBe('AES-128-GCM');
    expect(pick('AES-256-CBC', '', 'AES-256-CBC').cipher).toBe('AES-256-CBC');
    expect(pick('BF-CBC').log).toEqual([
      'Error: negotiated cipher not allowed - BF-CBC not in AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305',
    ]);
  });

  it("falls back on the server's options string, then on the fallback", () => {
    expect(pick(undefined, 'V4,cipher AES-128-GCM')).toMatchObject({
      cipher: 'AES-128-GCM',
      log: ["Using peer cipher 'AES-128-GCM'"],
    });
    expect(pick(undefined, 'V4', 'AES-256-CBC').cipher).toBe('AES-256-CBC');
    expect(pick(undefined, 'V4,cipher BF-CBC', 'AES-256-CBC').cipher).toBeUndefined();
    expect(pick(undefined, 'V4').cipher).toBeUndefined();
  });

  it('reads the cipher of an options string', () => {
    expect(optionsCipher('V4,cipher [null-cipher],auth SHA1')).toBe('none');
    expect(optionsCipher('V4,auth SHA1')).toBeUndefined();
  });
});

describe('P2P negotiation', () => {
  for (const { name, peer_info_of_server_text } of vectors.p2p_ncp) {
    it(`with a live ${name} peer`, () => {
      const peerInfo = parsePeerInfo(peer_info_of_server_text);
      expect(negotiateP2p({ role: 'client', dataCiphers: ['AES-128-GCM', 'AES-256-GCM'], peerInfo })).toEqual(
        {
          cipher: 'AES-256-GCM',
          dataV2: true,
          tlsEkm: true,
          dynTlsCrypt: true,
          ccExit: true,
          epoch: false,
        },
      );
    });

    it(`with a live ${name} peer, epochs announced`, () => {
      const peerInfo = parsePeerInfo(peer_info_of_server_text);
      const agree = (list: string[]) =>
        negotiateP2p({ role: 'client', dataCiphers: list, peerInfo, epoch: true }).epoch;
      expect(agree(['AES-256-GCM'])).toBe(!name.startsWith('2.6'));
      expect(agree(['AES-256-CBC'])).toBe(false);
    });
  }

  it('leaves old peers alone', () => {
    expect(negotiateP2p({ role: 'server', dataCiphers: CIPHERS, peerInfo: nothing })).toEqual({
      cipher: undefined,
      dataV2: false,
      tlsEkm: false,
      dynTlsCrypt: false,
      ccExit: false,
      epoch: false,
    });
  });
});

describe('peer info shown to scripts and in the log', () => {
  it('has IV_ and UV_ lines in order, without what a shell could run', () => {
    const text = 'IV_VER=2.6.14\nUV_X=$(rm) `id`\nPATH=/evil\nIV_SSL=OpenSSL 3.0\n\nIV_P Q=1\nUV_U=ä\n';
    expect(parsePeerInfo(text).shown).toEqual({
      lines: [
        ['IV_VER', '2.6.14'],
        ['UV_X', '__rm)__id_'],
        ['IV_SSL', 'OpenSSL_3.0'],
        ['UV_U', '__'],
      ],
      invalid: 3,
    });
    expect(parsePeerInfo('').shown).toEqual({ lines: [], invalid: 0 });
  });

  it('is printable whatever the peer sends', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        for (const [name, shown] of parsePeerInfo(`UV_A=${value}`).shown.lines)
          expect(`${name}=${shown}`).toMatch(/^[IU]V_\w*=[!-~]*$/);
      }),
    );
  });
});
