/** What is said about a data channel that is ready. */
import { describe, expect, it } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { cipherInfo, digestInfo } from '../crypto/crypto.ts';
import { parseConfig } from '../options/options.ts';
import { logDataChannel } from './data-channel-lines.ts';
import type { DataChannelParams } from './ssl.ts';

const CLIENT = 'client\ndev tun\nremote h\nca f\ncert f\nkey f\n';
const SERVER = 'dev tun\nserver 10.8.0.0 255.255.255.0\nca f\ncert f\nkey f\ndh none\n';

describe('logDataChannel', () => {
  const flags = { tlsEkm: true, dynTlsCrypt: true, ccExit: true, epoch: true };
  const lines = (config: string, params: Partial<DataChannelParams>, role = CLIENT): string[] => {
    const { options } = parseConfig(role + config);
    const log = new MemoryLogger();
    const digest = digestInfo('SHA1');
    const all = { cipher: cipherInfo('AES-256-GCM')!, digest, peerId: 7, ...flags, ...params };
    logDataChannel(log, options, options.connectionList[0]!, all, undefined);
    return [...log.lines];
  };

  it('names cipher, peer id, timers and flags', () => {
    expect(lines('ping 10\nping-exit 60\nexplicit-exit-notify 2', {})).toEqual([
      "Data Channel: cipher 'AES-256-GCM', peer-id: 7",
      'Timers: ping 10, ping-exit 60',
      'Protocol options: explicit-exit-notify 2, protocol-flags cc-exit tls-ekm dyn-tls-crypt aead-epoch',
    ]);
  });

  it('names the digest where there is one', () => {
    const cbc = { cipher: cipherInfo('AES-256-CBC')!, peerId: -1 };
    expect(lines('', cbc)[0]).toBe("Data Channel: cipher 'AES-256-CBC', auth 'SHA1'");
    const none = { cipher: cipherInfo('none')!, digest: undefined, peerId: -1 };
    expect(lines('', none)[0]).toBe("Data Channel: cipher '[null-cipher]', auth '[null-digest]'");
  });

  it("names a server's, and what ends the connection by itself", () => {
    const config = 'keepalive 10 60\ninactive 300 1000\nsession-timeout 7200';
    expect(lines(config, { epoch: false }, SERVER)).toEqual([
      "Data Channel: cipher 'AES-256-GCM', peer-id: 7",
      'Timers: ping 10, ping-restart 120, inactive 300 1000, session-timeout 7200',
      'Protocol options: protocol-flags cc-exit tls-ekm dyn-tls-crypt',
    ]);
  });
});
