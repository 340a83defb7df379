/**
 * Every option that a client's file may hold (context D), with what it changes of the client's options; `none` where
 * it has no effect in 2.x either. A row without an entry fails.
 */
import { describe, expect, it } from 'vitest';
import { parseClientConfig } from './client-config.ts';
import { OPTION_ROWS } from './option-table.ts';
import type { Options } from './option-types.ts';
import { parseConfig } from './parse.ts';

const SERVER =
  'dev tun\ntopology subnet\nserver 10.8.0.0 255.255.255.0\nserver-ipv6 fd00:8::/64\nca f\ncert f\nkey f\ndh none\npush "route 10.1.0.0 255.255.0.0"\n';

type Effect = (options: Options) => unknown;
type Entry = readonly [line: string, effect: Effect | 'none', value?: unknown];

/** Where the effect shows: the data channel, the push list, the instance, routes. */
const ENTRIES: Readonly<Record<string, Entry>> = {
  'auth-token': ['auth-token abc', 'none'],
  'auth-token-user': ['auth-token-user YWJj', 'none'],
  'bind-dev': ['bind-dev eth0', 'none'],
  cipher: ['cipher AES-128-GCM', (o) => o.cipher, 'AES-128-GCM'],
  'comp-lzo': ['comp-lzo no', (o) => o.compress.algorithm, 'lzo-stub'],
  compress: ['compress stub-v2', (o) => o.compress.algorithm, 'stub-v2'],
  config: ['config other', 'none'],
  'data-ciphers': ['data-ciphers AES-128-GCM', (o) => o.dataCiphers, 'AES-128-GCM'],
  'data-ciphers-fallback': [
    'data-ciphers-fallback AES-256-CBC',
    (o) => [o.cipher, o.enableNcpFallback],
    ['AES-256-CBC', true],
  ],
  disable: ['disable', (o) => o.disable, true],
  echo: ['echo hello', 'none'],
  'ifconfig-ipv6-push': [
    'ifconfig-ipv6-push fd00:8::9/64 fd00:8::1',
    (o) => o.ifconfigIpv6Push?.local,
    'fd00:8::9',
  ],
  'ifconfig-push': ['ifconfig-push 10.8.0.9 255.255.255.0', (o) => o.ifconfigPush?.local, '10.8.0.9'],
  inactive: ['inactive 300', (o) => o.inactive, 300],
  iroute: ['iroute 192.168.7.0 255.255.255.0', (o) => o.iroutes.length, 1],
  'iroute-ipv6': ['iroute-ipv6 fd77::/48', (o) => o.iroutesIpv6.length, 1],
  'max-routes-per-client': ['max-routes-per-client 3', (o) => o.maxRoutesPerClient, 3],
  'ncp-ciphers': ['ncp-ciphers AES-128-GCM', (o) => o.dataCiphers, 'AES-128-GCM'],
  parameter: ['parameter x', 'none'],
  ping: ['ping 7', (o) => o.ping, 7],
  'ping-exit': ['ping-exit 70', (o) => [o.pingRecAction, o.pingRecTimeout], ['exit', 70]],
  'ping-restart': ['ping-restart 70', (o) => [o.pingRecAction, o.pingRecTimeout], ['restart', 70]],
  'ping-timer-rem': ['ping-timer-rem', (o) => o.pingTimerRem, true],
  push: ['push "route 10.2.0.0 255.255.0.0"', (o) => o.push.includes('route 10.2.0.0 255.255.0.0'), true],
  'push-remove': ['push-remove route', (o) => o.push.some((item) => item.startsWith('route ')), false],
  'push-reset': ['push-reset', (o) => o.push, []],
  'session-timeout': ['session-timeout 7200', (o) => o.sessionTimeout, 7200],
  'socket-flags': ['socket-flags TCP_NODELAY', (o) => o.tcpNodelay, true],
  'vlan-pvid': ['vlan-pvid 7', (o) => o.vlanPvid, 7],
};

const inClientFiles = OPTION_ROWS.filter(
  ({ contexts, supported }) => contexts.includes('D') && supported === 'yes',
);

describe("options of a client's file", () => {
  it.each(inClientFiles.map(({ name }) => name))('%s is known here', (name) => {
    expect(ENTRIES[name]).toBeDefined();
  });

  it.each(Object.entries(ENTRIES).filter(([, [, effect]]) => effect !== 'none'))(
    '%s changes the client',
    (_name, entry) => {
      const [line, effect, value] = entry;
      const base = parseConfig(SERVER).options;
      const read = effect as Effect;
      const before = read(base);
      const { options, messages } = parseClientConfig(`${line}\n`, 'ccd/c', base);
      expect(messages.filter(({ text }) => text.startsWith('Options error'))).toEqual([]);
      expect(before).not.toEqual(value);
      expect(read(options)).toEqual(value);
      expect(read(base)).toEqual(before);
    },
  );
});

describe('empty lists of ciphers', () => {
  it.each([
    ["data-ciphers ''", '--data-ciphers list contains unsupported ciphers or is too long.'],
    ["ncp-ciphers ''", '--data-ciphers list contains unsupported ciphers or is too long.'],
    ["cipher ''", 'Cipher  not supported'],
    ["data-ciphers-fallback ''", 'Cipher  not supported'],
    ["peer-fingerprint ''\n#", undefined],
  ])('%s is refused as in 2.x', (line, problem) => {
    const read = () => parseConfig(`${SERVER}${line}\n`);
    if (problem === undefined) expect(read().options.peerFingerprints).toBeUndefined();
    else expect(read).toThrow(problem);
  });
});
