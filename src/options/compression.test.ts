import { describe, expect, it } from 'vitest';
import { OptionsError } from '../base/base.ts';
import type { CompressionLibrary, CompressionSettings } from '../comp/comp.ts';
import { compressionPeerInfo } from '../comp/comp.ts';
import { applyPulledOptions, finishPull, type Options, parseConfig } from './options.ts';

const EVERYTHING: CompressionLibrary = {
  load: (name) => ({ name, compress: () => -1, decompress: () => -1 }),
};
const NOTHING: CompressionLibrary = { load: () => undefined };
const STUBS = ['IV_LZO_STUB=1', 'IV_COMP_STUB=1', 'IV_COMP_STUBv2=1'];
const ALL = ['IV_LZ4=1', 'IV_LZ4v2=1', 'IV_LZO=1', 'IV_COMP_STUB=1', 'IV_COMP_STUBv2=1'];

describe('compression options', () => {
  it.each<[string, Partial<CompressionSettings>, readonly string[]]>([
    ['', { algorithm: 'none', allow: 'no' }, STUBS],
    ['comp-lzo no', { algorithm: 'lzo-stub', allow: 'no' }, STUBS],
    ['compress', { algorithm: 'stub', allow: undefined }, STUBS],
    ['compress stub-v2', { algorithm: 'stub-v2', allow: undefined }, STUBS],
    ['compress migrate', { algorithm: 'none', allow: undefined, migrate: true }, ALL],
    ['comp-lzo', { algorithm: 'lzo', adaptive: true, allow: undefined }, ALL],
    ['comp-lzo\ncomp-noadapt', { algorithm: 'lzo', adaptive: false }, ALL],
    ['comp-lzo yes', { algorithm: 'lzo', adaptive: false, allow: undefined }, ALL],
    ['compress lz4', { algorithm: 'lz4', allow: undefined }, ALL],
    ['allow-compression yes\ncompress lz4-v2', { algorithm: 'lz4-v2', allow: 'yes' }, ALL],
    ['allow-compression asym', { algorithm: 'none', allow: 'asym' }, ALL],
    ['allow-compression no', { algorithm: 'none', allow: 'no' }, STUBS],
    ['compat-mode 2.5.0', { algorithm: 'none', allow: undefined }, ALL],
  ])('%j mean what they mean in 2.6', (lines, settings, announced) => {
    const { compress } = client(lines);
    expect(compress).toMatchObject(settings);
    expect(compressionPeerInfo(compress, EVERYTHING)).toEqual(announced);
  });

  it.each([
    [
      'allow-compression no\ncompress lz4',
      "Compression is not allowed since allow-compression is set to 'stub-only'",
    ],
    ['compress lz4\nallow-compression no', "'--allow-compression no' conflicts with  enabling compression"],
    [
      'allow-compression no\nallow-compression asym',
      "Cannot set allow-compression to 'asym' after set to 'no'",
    ],
    ['compress snappy', 'bad comp option: snappy'],
    ['comp-lzo maybe', "bad comp-lzo option: maybe -- must be 'yes', 'no', or 'adaptive'"],
    ['allow-compression on', "bad allow-compression option: on -- must be 'yes', 'no', or 'asym'"],
  ])('%j is refused', (lines, text) => {
    expect(() => client(lines)).toThrow(OptionsError);
    expect(() => client(lines)).toThrow(text);
  });

  it('announces framings alone where the packages are missing', () => {
    expect(compressionPeerInfo(client('allow-compression asym').compress, NOTHING)).toEqual(STUBS);
  });
});

describe('pushed compression', () => {
  it.each(['comp-lzo no', 'compress stub-v2', 'compress'])('takes the framing %j by default', (item) => {
    expect(pull(client(), item).ok).toBe(true);
  });

  it.each(['comp-lzo', 'compress lz4', 'compress lz4-v2'])('refuses %j by default', (item) => {
    expect(pull(client(), item)).toEqual({
      ok: false,
      texts: [
        "Compression is not allowed since allow-compression is set to 'stub-only'",
        'OPTIONS ERROR: server pushed compression settings that are not allowed and will result in a non-working connection. See also allow-compression in the manual.',
        'ERROR: Failed to apply push options',
      ],
    });
  });

  it('takes compression when asked for, if the package is there', () => {
    expect(pull(client('allow-compression asym'), 'compress lz4').ok).toBe(true);
    const missing = pull(client('allow-compression asym'), 'compress lz4', NOTHING);
    expect(missing.ok).toBe(false);
    expect(missing.texts[0]).toBe(
      'OpenVPN is compiled without LZ4 support. Requested compression cannot be enabled.',
    );
  });
});

describe('pushed tun-mtu', () => {
  it('is used as far as the buffers go', () => {
    const options = client();
    const { ok, texts } = pull(options, 'tun-mtu 9000');
    expect({ ok, tunMtu: options.ce.tunMtu }).toEqual({ ok: true, tunMtu: 1600 });
    expect(texts).toEqual([
      'OPTIONS IMPORT: tun-mtu set to 9000',
      'Server-pushed tun-mtu is too large, please add tun-mtu-max 9000 in the client configuration',
    ]);
  });
});

function client(lines = ''): Options {
  const base = 'client\ndev tun\nremote r\n<ca>\nx\n</ca>\n<cert>\nx\n</cert>\n<key>\nx\n</key>\n';
  const { options } = parseConfig(`${base}${lines}\n`);
  options.ce = structuredClone(options.connectionList[0]!);
  return options;
}

function pull(options: Options, item: string, library = EVERYTHING): { ok: boolean; texts: string[] } {
  const { imports } = applyPulledOptions(options, [item]);
  const { ok, messages } = finishPull(options, imports, library);
  return { ok, texts: messages.map(({ text }) => text) };
}
