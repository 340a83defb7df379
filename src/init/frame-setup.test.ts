/**
 * Frame numbers against those that OpenVPN 2.6.14 logged at verb 7 ("Data Channel MTU parms",
 * "Fragmentation MTU parms", link-mtu of "Local Options String") between two peers with TLS: each row of
 * test-kit/mtu-parms.json is one such pair.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { cipherInfo, digestInfo } from '../crypto/crypto.ts';
import { createDataChannel, type DataChannel, newLinkCounters } from '../forward/forward.ts';
import { OFF_TIMERS } from '../forward/ping.ts';
import { type Options, parseArgv, parseConfig } from '../options/options.ts';
import type { DataChannelParams } from '../ssl/ssl.ts';
import { frameLines, frameOptions, innerOptions } from './frame-setup.ts';

interface Measured {
  readonly proto: string;
  readonly dev: string;
  readonly cipher: string;
  readonly auth: string;
  readonly options: string;
  readonly mss_fix: number;
  readonly max_frag: number;
  readonly tun_mtu: number;
  readonly tun_max_mtu: number;
  readonly extra: number;
  readonly link_mtu: number;
}
const { columns, rows } = JSON.parse(
  readFileSync(new URL('../../test-kit/mtu-parms.json', import.meta.url), 'utf8'),
) as { columns: string[]; rows: unknown[][] };
const CASES = rows.map((row) => Object.fromEntries(row.map((value, i) => [columns[i], value])) as Measured);

describe('frame numbers', () => {
  it.each(CASES)('are those of 2.6.14: $cipher $auth $proto $dev $options', (expected) => {
    const { options, log } = setUp(
      `--proto ${expected.proto}${expected.proto.startsWith('tcp') ? '-server' : ''} --dev ${expected.dev} --cipher ${expected.cipher} --data-ciphers ${expected.cipher} --auth ${expected.auth} ${expected.options}`,
    );
    const { mss_fix, max_frag, tun_mtu, tun_max_mtu, extra, link_mtu } = expected;
    createChannel(options, log, expected.proto.endsWith('6') ? 6 : 4).handleKeys();
    const kind = max_frag > 0 ? 'Fragmentation' : 'Data Channel';
    expect(log.lines.at(-1)).toContain(
      `${kind} MTU parms [ mss_fix:${mss_fix} max_frag:${max_frag} tun_mtu:${tun_mtu} tun_max_mtu:${tun_max_mtu} `,
    );
    expect(log.lines.at(-1)).toMatch(new RegExp(` ET:${extra} \\]$`));
    const texts = frameLines(options, options.connectionList[0]!).map(({ text }) => text);
    expect(texts.at(-2)).toContain(
      `Local Options String (VER=V4): 'V4,dev-type ${expected.dev},link-mtu ${link_mtu},`,
    );
    expect(texts.at(-1)).toMatch(/^Expected Remote Options String \(VER=V4\): '.*,tls-client'$/);
  });
});

describe('a path MTU that the kernel tells', () => {
  const GCM = '--dev tun --cipher AES-256-GCM --data-ciphers AES-256-GCM --auth SHA1';

  it("changes sizes with --fragment, in 2.x's words, once for each value", () => {
    const { options, log } = setUp(`${GCM} --fragment 1300 --mssfix 1250 mtu`);
    const channel = createChannel(options, log, 4);
    channel.handleKeys();
    expect(channel.mss).toBe(1154);
    log.lines.length = 0;
    channel.handlePathMtu(1200);
    channel.handlePathMtu(1200);
    channel.handlePathMtu(1400);
    channel.handlePathMtu(0);
    expect(log.lines).toEqual([
      "Note adjusting 'mssfix 1250 mtu' to 'mssfix 1200 mtu' according to path MTU discovery",
      "Note adjusting 'fragment 1300' to 'fragment 1200 mtu' according to path MTU discovery",
    ]);
    expect(channel.mss).toBe(1104);
  });

  it('keeps mssfix fixed, and changes nothing without --fragment', () => {
    const fixed = setUp(`${GCM} --fragment 1300 --mssfix 1250 fixed`);
    const channel = createChannel(fixed.options, fixed.log, 4);
    channel.handlePathMtu(1100);
    channel.handleKeys();
    expect(channel.mss).toBe(1060);
    const plain = setUp(`${GCM} --mssfix 1400`);
    const other = createChannel(plain.options, plain.log, 4);
    other.handlePathMtu(1000);
    expect(plain.log.lines).toEqual([]);
  });
});

function setUp(words: string): { options: Options; log: MemoryLogger } {
  const argv = `--tls-server --dh none --ca f --cert f --key f ${words}`
    .split(' ')
    .filter((word) => word !== '');
  return { options: parseArgv(argv, { allowUnsupported: true }).options, log: new MemoryLogger(4) };
}

/** A peer's channel, its cipher agreed on and peer-ids in use. */
function createChannel(options: Options, log: MemoryLogger, family: 4 | 6): DataChannel {
  const cipher = cipherInfo(options.cipher);
  const params = {
    cipher,
    digest: cipher?.mode === 'aead' || options.auth === 'none' ? undefined : digestInfo(options.auth),
    peerId: 0,
  } as DataChannelParams;
  const frame = frameOptions(options, options.connectionList[0]!, family);
  return createDataChannel(
    {
      keys: { params, sealKeys: () => undefined, openKeys: () => undefined },
      frame,
      inner: innerOptions(options, undefined),
      timers: OFF_TIMERS,
      occ: { localOptions: undefined, mtuTest: false, randomBytes: (length) => Buffer.alloc(length) },
      log,
      counters: newLinkCounters(),
      muteReplayWarnings: false,
    },
    0,
  );
}

describe('sizes beyond all buffers', () => {
  it.each(['tun-mtu 99999999999', 'tun-mtu-extra 99999999999', 'link-mtu 99999999999'])('%s', (line) => {
    const { options } = parseConfig(`client\ndev tun\nremote h\nca f\ncert f\nkey f\n${line}\n`);
    expect(() => frameLines(options, options.connectionList[0]!)).toThrow(
      /^fatal buffer size error, size=\d+$/,
    );
  });
});
