/** PUSH_REPLY on a client, per-client files on a server. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseClientConfig } from './client-config.ts';
import type { LogLine } from './config-error.ts';
import { parseConfig } from './parse.ts';
import { useConnection } from './postprocess.ts';
import { applyPulledOptions, finishPull, restorePrePull } from './pull.ts';

const CLIENT = 'client\ndev tun\nremote vpn.example\nca f\ncert f\nkey f\n';
const SERVER = 'server 10.8.0.0 255.255.255.0\ntopology subnet\ndev tun\nca f\ncert f\nkey f\ndh none\n';

function client(more = '') {
  const { options } = parseConfig(CLIENT + more);
  useConnection(options, options.connectionList[0]!);
  return options;
}
const texts = (messages: readonly LogLine[]) => messages.map((line) => line.text);

describe('applyPulledOptions', () => {
  const REPLY =
    'route 10.0.0.0 255.0.0.0,route-gateway 10.8.0.1,topology subnet,ping 10,ping-restart 60,dhcp-option DNS 10.8.0.1,ifconfig 10.8.0.2 255.255.255.0,peer-id 7,cipher AES-256-GCM,protocol-flags cc-exit tls-ekm dyn-tls-crypt,tun-mtu 1400';

  it('takes a usual reply', () => {
    const options = client();
    const result = applyPulledOptions(options, REPLY.split(','));
    expect(result).toMatchObject({ messages: [], restart: undefined });
    expect(options).toMatchObject({
      routes: [{ network: '10.0.0.0', netmask: '255.0.0.0' }],
      routeGateway: '10.8.0.1',
      topology: 'subnet',
      ping: 10,
      pingRecTimeout: 60,
      pingRecAction: 'restart',
      dhcpOptions: ['DNS 10.8.0.1'],
      ifconfig: { local: '10.8.0.2', remoteNetmask: '255.255.255.0' },
      peerId: 7,
      cipher: 'AES-256-GCM',
      protocolFlags: { ccExit: true, tlsEkm: true, dynTlsCrypt: true },
      ce: { tunMtu: 1400 },
    });
    expect(texts(finishPull(options, result.imports).messages)).toEqual([
      'OPTIONS IMPORT: timers and/or timeouts modified',
      'OPTIONS IMPORT: --ifconfig/up options modified',
      'OPTIONS IMPORT: route options modified',
      'OPTIONS IMPORT: route-related options modified',
      'OPTIONS IMPORT: --ip-win32 and/or --dhcp-option options modified',
      'OPTIONS IMPORT: peer-id set',
      'OPTIONS IMPORT: tun-mtu set to 1400',
    ]);
  });

  it('also takes the reply in one piece', () => {
    const options = client();
    applyPulledOptions(options, [REPLY]);
    expect(options.peerId).toBe(7);
  });

  it('logs what it cannot take and goes on', () => {
    const options = client();
    const { messages } = applyPulledOptions(options, [
      'reneg-sec 5',
      'nope 1',
      'ifconfig x y',
      'block-outside-dns',
      'route "10',
      'protocol-flags cc-exit nope',
      'comp-lzo no',
      'verb 5',
    ]);
    expect(texts(messages)).toEqual([
      "Options error: option 'reneg-sec' cannot be used in this context ([PUSH-OPTIONS])",
      'Options error: Unrecognized option or missing or extra parameter(s) in [PUSH-OPTIONS]:2: nope (2.6.14)',
      "Options error: ifconfig parms 'x' and 'y' must be valid addresses",
      'Options error: Unrecognized option or missing or extra parameter(s) in [PUSH-OPTIONS]:4: block-outside-dns (2.6.14)',
      'Options error: No closing quotation (") in [PUSH-OPTIONS]:5',
      'Options error: Unknown protocol-flags flag: nope',
    ]);
    expect(options).toMatchObject({ verb: 5, renegSec: 3600, protocolFlags: { ccExit: true } });
  });

  it('does not honour setenv opt in pushed text', () => {
    const { messages } = applyPulledOptions(client(), ['setenv opt verb 9']);
    expect(texts(messages)[0]).toContain('Options error: Unrecognized option');
  });

  it('keeps routes and DNS out with route-nopull', () => {
    const options = client('route-nopull\n');
    const { messages } = applyPulledOptions(options, ['route 10.0.0.0', 'dhcp-option DNS 1.1.1.1', 'ping 3']);
    expect(texts(messages)).toEqual([
      "Options error: option 'route' cannot be used in this context ([PUSH-OPTIONS])",
      "Options error: option 'dhcp-option' cannot be used in this context ([PUSH-OPTIONS])",
    ]);
    expect(options).toMatchObject({ routes: [], dhcpOptions: [], ping: 3 });
  });

  it('lets the first fitting filter decide', () => {
    const options = client(
      'pull-filter accept "route 10."\npull-filter ignore route\npull-filter reject ping-exit\n',
    );
    const first = applyPulledOptions(options, [' route 10.1.0.0', 'route 172.16.0.0', 'ping 5']);
    expect(texts(first.messages)).toEqual([
      "Pushed option accepted by filter: 'route 10.1.0.0'",
      "Pushed option removed by filter: 'route 172.16.0.0'",
    ]);
    expect(options).toMatchObject({ routes: [{ network: '10.1.0.0' }], ping: 5 });
    const second = applyPulledOptions(options, ['ping-exit 4', 'ping 9']);
    expect(second.restart).toBe('Offending option received from server');
    expect(texts(second.messages)).toEqual(["Pushed option rejected by filter: 'ping-exit 4'. Restarting."]);
    expect(options.ping).toBe(5);
  });

  it('says how a split reply goes on', () => {
    const options = client();
    applyPulledOptions(options, ['ping 1', 'push-continuation 2']);
    expect(options.pushContinuation).toBe(2);
  });

  it('merges local and pushed DNS servers by priority', () => {
    const options = client('dns server 1 address 1.1.1.1\ndns server 2 address 2.2.2.2\n');
    const { imports } = applyPulledOptions(options, [
      'dns server 1 address [fd00::1]:5353',
      'dns search-domains a b',
    ]);
    expect(finishPull(options, imports).ok).toBe(true);
    expect(options.dns.servers.map((server) => server.addresses[0])).toEqual([
      { address: 'fd00::1', port: 5353 },
      { address: '2.2.2.2', port: 0 },
    ]);
    expect(options.dhcpOptions).toEqual([
      'DNS6 fd00::1',
      'DNS 2.2.2.2',
      'DOMAIN-SEARCH a',
      'DOMAIN-SEARCH b',
    ]);
  });

  it('refuses a DNS server without address', () => {
    const options = client();
    const { imports } = applyPulledOptions(options, ['dns server 1 sni x']);
    expect(finishPull(options, imports)).toMatchObject({
      ok: false,
      messages: [{ text: 'ERROR: dns server 1 does not have an address assigned' }],
    });
  });

  it('takes an exit notification back over TCP', () => {
    const options = client('proto tcp\n');
    const { imports } = applyPulledOptions(options, ['explicit-exit-notify 3']);
    expect(texts(finishPull(options, imports).messages)).toEqual([
      'OPTIONS IMPORT: --explicit-exit-notify can only be used with --proto udp',
    ]);
    expect(options.ce.explicitExitNotify).toBe(0);
  });

  it('decodes the user name of a token', () => {
    const options = client();
    applyPulledOptions(options, ['auth-token SESS_ID_x', 'auth-token-user Ym9i']);
    expect(options).toMatchObject({ authToken: 'SESS_ID_x', authTokenUser: 'bob' });
  });

  it('never throws on pushed text', () => {
    const item = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom(
        'route',
        'dns server 1',
        'ifconfig-ipv6 a',
        'socket-flags x',
        'cd /',
        'version',
        'help',
      ),
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 6 }), (items) => {
        applyPulledOptions(client(), items);
      }),
    );
  });
});

describe('restorePrePull', () => {
  it('puts back what the push changed', () => {
    const options = client('route 192.0.2.0\ndhcp-option DNS 9.9.9.9\n');
    const before = structuredClone(options);
    const { imports } = applyPulledOptions(options, [
      'route 10.0.0.0',
      'ping 3',
      'cipher AES-128-GCM',
      'peer-id 4',
    ]);
    finishPull(options, imports);
    restorePrePull(options);
    useConnection(options, options.connectionList[0]!);
    expect(options).toEqual(before);
  });
});

describe('parseClientConfig', () => {
  const base = parseConfig(`${SERVER}push "route 10.1.0.0"\npush "dhcp-option DNS 1.1.1.1"\n`).options;

  it('applies per-client options over a clone', () => {
    const { options, messages } = parseClientConfig(
      'ifconfig-push 10.8.0.9 255.255.255.0\niroute 192.168.7.0 255.255.255.0\niroute-ipv6 fd00:7::/64\npush "route 10.2.0.0"\npush-remove dhcp-option\nmax-routes-per-client 5\n',
      'ccd/bob',
      base,
    );
    expect(options).toMatchObject({
      ifconfigPush: { local: '10.8.0.9', remoteNetmask: '255.255.255.0', alias: undefined },
      iroutes: [{ network: '192.168.7.0', prefix: 24 }],
      iroutesIpv6: [{ network: 'fd00:7::', prefix: 64 }],
      push: ['route 10.1.0.0', 'route-gateway 10.8.0.1', 'topology subnet', 'route 10.2.0.0'],
      maxRoutesPerClient: 5,
    });
    expect(texts(messages)).toEqual(["PUSH_REMOVE 'dhcp-option'"]);
    expect(base).toMatchObject({ ifconfigPush: undefined, iroutes: [] });
  });

  it('blocks generated ifconfig lines and resets the list', () => {
    const { options } = parseClientConfig('push-remove ifconfig\npush-reset\ndisable\n', 'f', base);
    expect(options).toMatchObject({ pushIfconfigBlocked: true, push: [], disable: true });
  });

  it('logs errors and goes on', () => {
    const { options, messages } = parseClientConfig('verb 5\nbad\niroute x\npush a\n<ca>\n', 'ccd/bob', base);
    expect(texts(messages)).toEqual([
      "Options error: option 'verb' cannot be used in this context (ccd/bob)",
      'Options error: Unrecognized option or missing or extra parameter(s) in ccd/bob:2: bad (2.6.14)',
      'Options error: in --iroute x  : Bad network/subnet specification',
      'ERROR: Endtag </ca> missing',
    ]);
    expect(options.push).toContain('a');
  });

  it('never throws on the output of a script', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
        parseClientConfig(text, 'f', base);
      }),
    );
  });
});
