/** Several sockets, shared ports and proxies in configurations. */
import { describe, expect, it } from 'vitest';
import { OptionsError } from '../base/base.ts';
import { listenEntries, type Options, parseConfig } from './options.ts';

const SERVER =
  'dev tun\nserver 10.8.0.0 255.255.255.0\ndh none\nca ca\ncert c\nkey k\ntopology subnet\nkeepalive 10 60\n';
const CLIENT = 'client\ndev tun\nca ca\ncert c\nkey k\n';

describe('--local', () => {
  it('gives a server one socket each, with port and protocol of its own or the common ones', () => {
    const options = parse(
      `${SERVER}port 1200\nproto udp\nlocal 192.0.2.1\nlocal * 1300 tcp6\nlocal :: 1400 udp6`,
    );
    expect(listenEntries(options).map(({ local, lport, proto }) => [local, lport, proto])).toEqual([
      ['192.0.2.1', '1200', 'udp'],
      [undefined, '1300', 'tcp6-server'],
      ['::', '1400', 'udp6'],
    ]);
  });

  it('leaves a server without it with one socket', () => {
    const options = parse(`${SERVER}proto tcp-server\nlport 443`);
    expect(listenEntries(options).map(({ local, lport, proto }) => [local, lport, proto])).toEqual([
      [undefined, '443', 'tcp-server'],
    ]);
  });

  it("holds its last value outside of servers, unless it is in 2.7's form", () => {
    const options = parse(`${CLIENT}remote 192.0.2.9\nlocal 192.0.2.1\nlocal 192.0.2.2`);
    expect(options.connectionList[0]).toMatchObject({ local: '192.0.2.2', bindLocal: true });
    expect(problem(`${CLIENT}remote 192.0.2.9\nlocal 192.0.2.1 1\nlocal 192.0.2.2 2`)).toBe(
      'multiple --local statements only allowed in --server mode',
    );
    expect(problem(`${CLIENT}remote 192.0.2.9\nlocal 192.0.2.1 1 icmp`)).toMatch(/^Bad protocol: 'icmp'/);
  });

  it('keeps exit notification while one socket is UDP', () => {
    const lines = 'proto tcp-server\nexplicit-exit-notify 1\nlocal * 1194\n';
    expect(parse(`${SERVER}${lines}`).connectionList[0]!.explicitExitNotify).toBe(0);
    expect(parse(`${SERVER}${lines}local * 1195 udp`).connectionList[0]!.explicitExitNotify).toBe(1);
  });
});

describe('--port-share', () => {
  it('needs a TCP socket of a server', () => {
    const share = 'port-share 127.0.0.1 443 /journal\n';
    expect(parse(`${SERVER}proto tcp-server\n${share}`).portShare).toEqual({
      host: '127.0.0.1',
      port: '443',
      journalDir: '/journal',
    });
    expect(problem(`${SERVER}${share}`)).toBe(
      '--port-share only works in TCP server mode (--proto values of tcp-server, tcp4-server, or tcp6-server)',
    );
    expect(parse(`${SERVER}${share}local * 1194 udp\nlocal * 443 tcp`).portShare).toBeDefined();
    expect(problem(`${CLIENT}remote 192.0.2.9\n${share}`)).toBe(
      '--port-share requires TCP server mode (--mode server --proto tcp-server)',
    );
  });
});

describe('proxy options', () => {
  it('fill one record in any order', () => {
    const options = parse(
      `${CLIENT}proto tcp-client\nremote 192.0.2.9\nhttp-proxy-option AGENT a/1\nhttp-proxy p 8080 auto\n` +
        'http-proxy-option VERSION 1.1\nhttp-proxy-option CUSTOM-HEADER A b\nhttp-proxy-option EXT1 "C: d"\n' +
        '<http-proxy-user-pass>\nuser\npass\n</http-proxy-user-pass>',
    );
    expect(options.connectionList[0]!.httpProxy).toEqual({
      server: 'p',
      port: '8080',
      auth: 'auto',
      authFile: undefined,
      userPass: { kind: 'inline', text: 'user\npass\n' },
      version: '1.1',
      agent: 'a/1',
      customHeaders: [
        { name: 'A', content: 'b' },
        { name: 'C: d', content: undefined },
      ],
    });
  });

  it('take a file with a method, Basic when there is none', () => {
    const auth = (line: string) =>
      parse(`${CLIENT}proto tcp-client\nremote 192.0.2.9\n${line}`).connectionList[0]!.httpProxy!.auth;
    expect([auth('http-proxy p 1'), auth('http-proxy p 1 file'), auth('http-proxy p 1 file ntlm2')]).toEqual([
      'none',
      'basic',
      'ntlm2',
    ]);
  });

  it('are refused where 2.x refuses them', () => {
    const tcp = `${CLIENT}proto tcp-client\nremote 192.0.2.9\n`;
    expect(problem(`${tcp}http-proxy-option AGENT a`)).toBe(
      '--http-proxy not specified but other http proxy options present',
    );
    expect(problem(`${tcp}http-proxy p 1\nsocks-proxy s`)).toBe(
      '--http-proxy can not be used together with --socks-proxy',
    );
    expect(problem(`${CLIENT}remote 192.0.2.9\nhttp-proxy p 1`)).toBe(
      '--http-proxy MUST be used in TCP Client mode (i.e. --proto tcp-client)',
    );
    expect(problem(`${tcp}http-proxy p 1\nhttp-proxy-option COLOUR red`)).toBe(
      "Bad http-proxy-option or missing or extra parameter: 'COLOUR'",
    );
    const headers = 'http-proxy-option CUSTOM-HEADER A b\n'.repeat(11);
    expect(problem(`${tcp}http-proxy p 1\n${headers}`)).toMatch(/^Cannot use more than 10 http-proxy-option/);
  });

  it('of an override replace those of TCP profiles and switch UDP off', () => {
    const remotes = 'remote 192.0.2.1 1194 udp\nremote 192.0.2.2 443 tcp-client\n';
    const options = parse(`${CLIENT}${remotes}http-proxy-override p 8080 nct`);
    expect(options.connectionList.map(({ disabled, httpProxy }) => [disabled, httpProxy?.auth])).toEqual([
      [true, undefined],
      [false, 'auto-nct'],
    ]);
    const udp = parse(`${CLIENT}remote 192.0.2.1\nhttp-proxy-override p 8080`);
    expect(udp.connectionList[0]).toMatchObject({ disabled: false, httpProxy: undefined });
  });

  it('stay in the block that has them', () => {
    const options = parse(
      `${CLIENT}<connection>\nremote 192.0.2.1 443 tcp-client\nhttp-proxy p 8080\n</connection>\n` +
        '<connection>\nremote 192.0.2.2 443 tcp-client\nsocks-proxy s\n</connection>',
    );
    expect(
      options.connectionList.map(({ httpProxy, socksProxy }) => [httpProxy?.server, socksProxy?.port]),
    ).toEqual([
      ['p', undefined],
      [undefined, '1080'],
    ]);
  });
});

function parse(text: string): Options {
  return parseConfig(text).options;
}

function problem(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof OptionsError) return error.message;
    throw error;
  }
  return '';
}
