/** What a client makes of pushed ciphers and flags, and how it tells of them. */
import { describe, expect, it } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import { parseConfig } from '../options/options.ts';
import { pulledDataParams } from './data-params.ts';
import type { DataChannelParams } from './ssl.ts';

const CLIENT = 'client\ndev tun\nremote h\nca f\ncert f\nkey f\n';
const crypto = createNodeCrypto();

describe('pulledDataParams', () => {
  it('takes the pushed cipher, digest, peer id and flags', () => {
    const { params } = pull('data-ciphers AES-256-CBC:AES-128-GCM\nauth SHA256', ['cipher AES-256-CBC'], {
      ccExit: true,
      tlsEkm: true,
    });
    expect(params).toMatchObject({
      cipher: { name: 'AES-256-CBC' },
      digest: { name: 'SHA256' },
      peerId: 3,
      ccExit: true,
      tlsEkm: true,
      dynTlsCrypt: false,
      epoch: false,
    });
  });

  it("falls back on the server's options string", () => {
    const { params, log } = pull('data-ciphers AES-256-CBC', [], {}, 'V4,cipher AES-256-CBC,auth SHA1');
    expect(params?.cipher.name).toBe('AES-256-CBC');
    expect(log).toEqual(["Using peer cipher 'AES-256-CBC'"]);
  });

  it('refuses what was not offered', () => {
    const { params, log } = pull('data-ciphers AES-128-GCM', ['cipher AES-256-CBC']);
    expect(params).toBeUndefined();
    expect(log).toEqual(['Error: negotiated cipher not allowed - AES-256-CBC not in AES-128-GCM']);
  });

  it('takes epochs with AEAD and a peer id only', () => {
    const epoch = { epoch: true };
    expect(pull('', ['cipher AES-256-GCM'], epoch).params?.epoch).toBe(true);
    expect(pull('', ['cipher AES-256-GCM'], epoch, '', -1).log).toEqual([
      'OPTIONS ERROR: Epoch key data format tag requires data v2 (peer-id) to be enabled.',
    ]);
    expect(pull('data-ciphers AES-256-CBC', ['cipher AES-256-CBC'], epoch).log).toEqual([
      'AEAD cipher (currently AES-256-CBC) required for epoch data format.',
    ]);
  });
});

function pull(
  config: string,
  pushed: readonly string[],
  flags: Partial<Record<'ccExit' | 'tlsEkm' | 'epoch', boolean>> = {},
  remoteOptions = '',
  peerId = 3,
): { params: DataChannelParams | undefined; log: readonly string[] } {
  const { options } = parseConfig(CLIENT + config);
  Object.assign(options.protocolFlags, flags);
  options.peerId = peerId;
  const log = new MemoryLogger();
  return { params: pulledDataParams(options, pushed, remoteOptions, { crypto, log }), log: log.lines };
}
