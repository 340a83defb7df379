/** Helpers, implied defaults, sanity checks and file checks of complete configurations. */
import { describe, expect, it } from 'vitest';
import { OptionsError } from '../base/base.ts';
import type { LogLine } from './config-error.ts';
import { createConfigFilesMemory } from './config-files-memory.ts';
import { epochAllowed } from './data-ciphers.ts';
import { ifconfigAdvice } from './ifconfig-advice.ts';
import { type ParseEnvironment, parseConfig } from './parse.ts';
import { useConnection } from './postprocess.ts';
import { optionWarnings } from './verify.ts';

const CLIENT = 'client\ndev tun\nremote vpn.example\nca f\ncert f\nkey f\n';
const SERVER = 'server 10.8.0.0 255.255.255.0\ndev tun\nca f\ncert f\nkey f\ndh none\n';

const parse = (text: string, environment: ParseEnvironment = {}) => parseConfig(text, environment);
const entryOf = (text: string) => parse(text).options.connectionList[0]!;
const texts = (messages: readonly LogLine[]) => messages.map((line) => line.text);
function errorOf(text: string, environment: ParseEnvironment = {}): string {
  try {
    parseConfig(text, environment);
    return 'none';
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    return error.message;
  }
}

describe('server helper', () => {
  it('expands topology subnet', () => {
    const { options } = parse(`topology subnet\npush "route 10.0.0.0"\nkeepalive 10 60\n${SERVER}`);
    expect(options).toMatchObject({
      mode: 'server',
      tlsServer: true,
      ifconfig: { local: '10.8.0.1', remoteNetmask: '255.255.255.0' },
      ifconfigPool: { start: '10.8.0.2', end: '10.8.0.254', netmask: '255.255.255.0' },
      ifconfigPushConstraint: { network: '10.8.0.0', netmask: '255.255.255.0' },
      routeGateway: '10.8.0.2',
      ping: 10,
      pingRecTimeout: 120,
      pingRecAction: 'restart',
      push: ['route 10.0.0.0', 'route-gateway 10.8.0.1', 'topology subnet', 'ping 10', 'ping-restart 60'],
    });
  });

  it('expands net30 with a warning', () => {
    const { options, messages } = parse(SERVER);
    expect(options).toMatchObject({
      ifconfig: { local: '10.8.0.1', remoteNetmask: '10.8.0.2' },
      ifconfigPool: { start: '10.8.0.4', end: '10.8.0.251', netmask: undefined },
      routes: [{ network: '10.8.0.0', netmask: '255.255.255.0' }],
      push: ['route 10.8.0.1', 'topology net30'],
    });
    expect(texts(messages)[0]).toMatch(/^WARNING: --topology net30 support for server configs/);
  });

  it('takes the null device for tun', () => {
    const { options } = parse(`topology subnet\n${SERVER.replace('dev tun', 'dev null')}`);
    expect(options).toMatchObject({
      ifconfigPool: { start: '10.8.0.2' },
      push: ['route-gateway 10.8.0.1', 'topology subnet'],
    });
  });

  it('pushes the whole network with client-to-client', () => {
    expect(parse(`client-to-client\n${SERVER}`).options.push).toContain('route 10.8.0.0 255.255.255.0');
  });

  it('keeps no reserve in a /29 and no pool with nopool', () => {
    const at29 = SERVER.replace('255.255.255.0', '255.255.255.248');
    expect(parse(at29).options.ifconfigPool).toMatchObject({ start: '10.8.0.4', end: '10.8.0.7' });
    const nopool = parse(SERVER.replace('.0\ndev', '.0 nopool\ndev')).options;
    expect(nopool).toMatchObject({ ifconfigPool: undefined, ifconfig: { local: '10.8.0.1' } });
  });

  it('expands server-ipv6 in front of server', () => {
    const { options } = parse(`topology subnet\nserver-ipv6 fd00:8::/64\n${SERVER}`);
    expect(options).toMatchObject({
      ifconfigIpv6: { local: 'fd00:8::1', netbits: 64, remote: 'fd00:8::2' },
      ifconfigIpv6Pool: { base: 'fd00:8::1000', netbits: 64 },
      push: ['tun-ipv6', 'route-gateway 10.8.0.1', 'topology subnet'],
    });
    const small = parse(`server-ipv6 fd00:8::/120\n${SERVER}`).options;
    expect(small.ifconfigIpv6Pool).toEqual({ base: 'fd00:8::2', netbits: 120 });
  });

  it.each([
    ['client\n', '--server and --client cannot be used together'],
    [
      'ifconfig-pool 10.8.0.4 10.8.0.8\n',
      "--server already defines an ifconfig-pool, so you can't also specify --ifconfig-pool explicitly",
    ],
    ['dev null\n', 'none'],
    [
      'keepalive 10 15\n',
      'the second parameter to --keepalive (restart timeout=15) must be at least twice the value of the first parameter (ping interval=10).  A ratio of 1:5 or 1:6 would be even better.  Recommended setting is --keepalive 10 60.',
    ],
    ['keepalive 0 15\n', '--keepalive parameters must be > 0'],
    [
      'keepalive 5 15\nping 3\n',
      "--keepalive conflicts with --ping, --ping-exit, or --ping-restart.  If you use --keepalive, you don't need any of the other --ping directives.",
    ],
  ])('with %j says %j', (more, message) => {
    expect(errorOf(more + SERVER)).toBe(message);
  });

  it.each([
    ['10.8.0.1 255.255.255.0', '--server directive network/netmask combination is invalid'],
    ['10.8.0.0 255.255.255.255', '--server directive netmask is invalid'],
    ['10.8.0.0 255.0.255.0', '--server directive network/netmask combination is invalid'],
    [
      '10.0.0.0 255.254.0.0',
      '--server directive netmask allows for too many host addresses (subnet must be 255.255.0.0 (/16) or higher)',
    ],
    [
      '10.8.0.0 255.255.255.252',
      '--server directive when used with --dev tun must define a subnet of 255.255.255.248 (/29) or lower',
    ],
    ['10.8.0.0 x', 'error parsing --server parameters'],
  ])('refuses the network %j', (network, message) => {
    expect(errorOf(SERVER.replace('10.8.0.0 255.255.255.0', network))).toBe(message);
  });

  it('uses keepalive as it is outside of servers, and ignores 0 0', () => {
    expect(parse(`${CLIENT}keepalive 5 30\n`).options).toMatchObject({
      ping: 5,
      pingRecTimeout: 30,
      push: [],
    });
    expect(parse(`${CLIENT}keepalive 0 0\n`).options).toMatchObject({ ping: 0, pingRecAction: 'none' });
  });

  it('pushes tcp-nodelay', () => {
    const { options } = parse(`tcp-nodelay\n${SERVER}`);
    expect(options.tcpNodelay).toBe(true);
    expect(options.push).toContain('socket-flags TCP_NODELAY');
  });
});

describe('profiles', () => {
  it('give a client an ephemeral port unless a local one is asked for', () => {
    expect(entryOf(CLIENT)).toMatchObject({ bindLocal: false, lport: undefined });
    expect(entryOf(`${CLIENT}lport 5000\n`)).toMatchObject({ bindLocal: true, lport: '5000' });
    expect(entryOf(SERVER)).toMatchObject({ bindLocal: true, lport: '1194' });
  });

  it('decide what plain tcp means', () => {
    expect(entryOf(`${CLIENT}proto tcp6\n`).proto).toBe('tcp6-client');
    expect(entryOf(`${SERVER}proto tcp\n`).proto).toBe('tcp-server');
    expect(errorOf('tls-server\ndev tun\nproto tcp\ndh none\nca f\ncert f\nkey f\n')).toBe(
      '--proto tcp is ambiguous in this context. Please specify --proto tcp-server or --proto tcp-client',
    );
  });

  it.each([
    ['', { value: 1492, mode: 'mtu' }],
    ['tun-mtu 1400\n', { value: 1400, mode: 'fixed' }],
    ['mssfix 1300\n', { value: 1300, mode: 'payload' }],
    ['mssfix 1300 fixed\n', { value: 1300, mode: 'fixed' }],
    ['mssfix 0\n', { value: 0, mode: 'payload' }],
    ['mssfix\n', { value: 1492, mode: 'mtu' }],
    ['max-packet-size 1200\n', { value: 1200, mode: 'mtu' }],
  ])('after %j clamp with %j', (more, mssfix) => {
    expect(entryOf(CLIENT + more).mssfix).toEqual(mssfix);
  });

  it('drop exit notification over TCP', () => {
    const { options, messages } = parse(`${CLIENT}proto tcp\nexplicit-exit-notify 2\n`);
    expect(options.connectionList[0]!.explicitExitNotify).toBe(0);
    expect(texts(messages)).toContain('NOTICE: --explicit-exit-notify ignored for --proto tcp');
  });

  it('are switched off by proto-force', () => {
    const { options } = parse(`${CLIENT}remote b 1194 tcp-client\nproto-force udp\n`);
    expect(options.connectionList.map((entry) => entry.disabled)).toEqual([false, true]);
  });

  it('are taken into use with a ping default for pulling UDP clients', () => {
    const { options } = parse(CLIENT);
    useConnection(options, options.connectionList[0]!);
    expect(options).toMatchObject({ pingRecTimeout: 120, pingRecAction: 'restart' });
    options.ce.tunMtu = 1400;
    expect(options.connectionList[0]!.tunMtu).toBe(1500);
  });
});

describe('ciphers', () => {
  it('default to 2.6 lists', () => {
    const { options, messages } = parse(CLIENT);
    expect(options).toMatchObject({
      cipher: 'BF-CBC',
      dataCiphers: 'AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305',
      tlsVersionMin: '1.2',
    });
    expect(texts(messages)[0]).toMatch(/^Note: --cipher is not set\. OpenVPN versions before 2\.5/);
  });

  it('are normalised, with optional ones dropped', () => {
    const { options, messages } = parse(
      `${CLIENT}cipher AES-256-CBC\ndata-ciphers ?nope:aes-128-gcm:AES-256-CBC\n`,
    );
    const list = 'AES-128-GCM:AES-256-CBC';
    expect(options).toMatchObject({ dataCiphers: list });
    expect(texts(messages)).toEqual(['Unsupported optional cipher in --data-ciphers: nope']);
  });

  it('need the legacy provider where OpenSSL 3 does', () => {
    const config = `${CLIENT}data-ciphers AES-256-GCM:BF-CBC\n`;
    expect(errorOf(config)).toBe('--data-ciphers list contains unsupported ciphers or is too long.');
    const { options } = parseConfig(config, { supportsCipher: () => true });
    expect(options.dataCiphers).toBe('AES-256-GCM:BF-CBC');
    const optional = parse(`${CLIENT}data-ciphers AES-256-GCM:?BF-CBC\n`);
    expect(optional.options.dataCiphers).toBe('AES-256-GCM');
    expect(texts(optional.messages)).toContain('Unsupported optional cipher in --data-ciphers: BF-CBC');
  });

  it('come after the providers, of which a later line overwrites those of an earlier one in order', () => {
    const asked: string[] = [];
    const supportsCipher = (name: string): boolean => name !== 'BF-CBC' || asked.includes('legacy');
    const loadProvider = (name: string): undefined => void asked.push(name);
    const lines = 'data-ciphers BF-CBC:AES-256-GCM\nproviders other default\nproviders legacy\n';
    const { options } = parseConfig(CLIENT + lines, { supportsCipher, loadProvider });
    expect(asked).toEqual(['legacy', 'default']);
    expect(options.dataCiphers).toBe('BF-CBC:AES-256-GCM');
  });

  it('are not looked at when a provider is missing', () => {
    const messages: LogLine[] = [];
    const loadProvider = (): string[] => ['error:1', 'error:2'];
    const attempt = (): unknown =>
      parseConfig(`${CLIENT}providers nope\ndata-ciphers nope`, { loadProvider, messages });
    expect(attempt).toThrow(
      expect.objectContaining({ message: "failed to load provider 'nope'", kind: 'fatal' }),
    );
    expect(texts(messages).slice(-2)).toEqual(['OpenSSL: error:1', 'OpenSSL: error:2']);
  });

  it.each([
    ['data-ciphers nope', '--data-ciphers list contains unsupported ciphers or is too long.'],
    [
      `data-ciphers ${Array(12).fill('AES-256-GCM').join(':')}`,
      '--data-ciphers list contains unsupported ciphers or is too long.',
    ],
  ])('refuse %j', (line, message) => {
    expect(errorOf(CLIENT + line)).toBe(message);
  });

  it('let epochs be negotiated unless --compat-mode names a release before 2.7', () => {
    const allowed = (line: string) => epochAllowed(parse(CLIENT + line).options);
    expect(['', 'compat-mode 2.6.14\n', 'compat-mode 2.7.0\n', 'compat-mode 2.8.1\n'].map(allowed)).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  it('warn about a cipher that is not negotiated', () => {
    expect(texts(parse(`${CLIENT}cipher AES-256-CBC\n`).messages)).toContain(
      "DEPRECATED OPTION: --cipher set to 'AES-256-CBC' but missing in --data-ciphers (AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305). OpenVPN ignores --cipher for cipher negotiations. ",
    );
  });

  it('allow older peers with compat-mode', () => {
    const { options } = parse(`${CLIENT}compat-mode 2.3.6\ncipher AES-256-CBC\n`);
    expect(options).toMatchObject({
      tlsVersionMin: '1.0',
      enableNcpFallback: true,
      dataCiphers: 'AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-256-CBC',
    });
  });
});

describe('sanity checks', () => {
  const TLS = 'ca f\ncert f\nkey f\n';
  it.each([
    [`client\nremote h\n${TLS}`, 'You must define TUN/TAP device (--dev)'],
    [`client\ndev tun\n${TLS}`, "--nobind doesn't make sense unless used with --remote"],
    [`${CLIENT}local 1.2.3.4\nnobind\n`, "--local and --nobind don't make sense when used together"],
    [`${CLIENT}bind\nnobind\n`, "--bind and --nobind can't be used together"],
    [`${CLIENT}lport 1\nnobind\n`, "--lport and --nobind don't make sense when used together"],
    [
      'client\ndev tun\nremote h\nca f\n',
      'No client-side authentication method is specified.  You must use either --cert/--key, --pkcs12, or --auth-user-pass',
    ],
    [
      'client\ndev tun\nremote h\nca f\ncert f\n',
      'If you use one of --cert or --key, you must use them both',
    ],
    [
      'client\ndev tun\nremote h\nauth-user-pass\n',
      'You must define CA file (--ca) or CA path (--capath) and/or peer fingerprint verification (--peer-fingerprint)',
    ],
    [`tls-server\ndev tun\n${TLS}`, 'You must define DH file (--dh)'],
    [
      'tls-server\ndev tun\ndh none\nca f\n',
      'You must define certificate file (--cert) or PKCS#12 file (--pkcs12)',
    ],
    [`${CLIENT}tls-auth f\ntls-crypt f\n`, '--tls-auth and --tls-crypt are mutually exclusive'],
    [`${CLIENT}pkcs12 f\n`, 'Parameter --cert cannot be used when --pkcs12 is also specified.'],
    [`${CLIENT}tls-server\ndh none\n`, 'specify only one of --tls-server, --tls-client, or --secret'],
    [
      `${CLIENT}tls-version-min 1.3\ntls-version-max 1.2\n`,
      '--tls-version-min bigger than --tls-version-max',
    ],
    [`${CLIENT}duplicate-cn\n`, '--duplicate-cn requires --mode server'],
    [`${CLIENT}client-config-dir d\n`, '--client-config-dir/--ccd-exclusive requires --mode server'],
    [`${SERVER}remote h\n`, '--remote cannot be used with --mode server'],
    [
      `${SERVER}redirect-gateway\n`,
      '--redirect-gateway cannot be used with --mode server (however --push "redirect-gateway" is fine)',
    ],
    [`${SERVER}ccd-exclusive\n`, '--ccd-exclusive must be used with --client-config-dir'],
    [
      `${SERVER}verify-client-cert none\n`,
      '--verify-client-cert none|optional must be used with --management-client-auth, an --auth-user-pass-verify script, or plugin',
    ],
    [
      `${SERVER}proto tcp-server\nconnect-freq 1 2\n`,
      '--connect-freq only works with --mode server --proto udp.  Try --max-clients instead.',
    ],
    [`tls-client\nremote h\ndev tun\nauth-user-pass\n${TLS}`, '--auth-user-pass requires --pull'],
    [
      `${CLIENT}ifconfig 10.0.0.1 10.0.0.1\n`,
      'local and remote/netmask --ifconfig addresses must be different',
    ],
    [
      'dev tun\nremote h\ntls-timeout 3\n',
      'Parameter tls_timeout can only be specified in TLS-mode, i.e. where --tls-server or --tls-client is also specified.',
    ],
    [
      `tls-client\nremote h\ndev tun\nsecret k\n${TLS}`,
      'specify only one of --tls-server, --tls-client, or --secret',
    ],
    [`${SERVER}vlan-tagging\n`, '--vlan-tagging must be used with --dev tap'],
    [`${SERVER}vlan-accept tagged\n`, '--vlan-accept requires --vlan-tagging'],
    [`${SERVER}vlan-pvid 7\n`, '--vlan-pvid requires --vlan-tagging'],
    [`${CLIENT}vlan-tagging\n`, '--vlan-tagging requires --mode server'],
  ])('%j gives %j', (text, message) => {
    expect(errorOf(text)).toBe(message);
  });

  it('let a fingerprint stand for the CA', () => {
    const hash = Array(32).fill('AB').join(':');
    const { options, messages } = parse(
      `client\ndev tun\nremote h\ncert f\nkey f\n<peer-fingerprint>\n# one\n${hash}\n</peer-fingerprint>\n`,
    );
    expect(options).toMatchObject({ verifyHashNoCa: true, peerFingerprints: ['ab'.repeat(32)] });
    expect(texts(messages)).toContain('Using certificate fingerprint to verify peer (no CA option set). ');
  });

  it('warn about doubtful settings at start', () => {
    const { options } = parse(`${CLIENT}user nobody\n`);
    expect(texts(optionWarnings(options))).toEqual([
      'WARNING: you are using user/group/chroot/setcon without persist-tun -- this may cause restarts to fail',
      'WARNING: you are using user/group/chroot/setcon without persist-key -- this may cause restarts to fail',
      'WARNING: No server certificate verification method has been enabled.  See http://openvpn.net/howto.html#mitm for more info.',
    ]);
  });
});

describe('advice at start', () => {
  const advice = (text: string) => texts(optionWarnings(parse(text).options));
  const PING = 'WARNING: --ping should normally be used with --ping-restart or --ping-exit';
  const P2P = 'tls-server\ndev tun\ndh none\nca f\ncert f\nkey f\n';

  it('misses an answer to --ping, but not where a UDP client waits for what is pushed', () => {
    expect(advice(`${P2P}ping 10\n`)).toContain(PING);
    expect(advice(`${CLIENT}ping 10\n`)).not.toContain(PING);
    expect(advice(`${CLIENT}proto tcp-client\nping 10\n`)).toContain(PING);
  });

  it.each([
    [`${P2P}fast-io\n`, undefined],
    [`${P2P}fast-io\nshaper 1000\n`, 'using --shaper'],
    [`${CLIENT}fast-io\nproto tcp-client\n`, 'not using UDP'],
  ])('tells why --fast-io is off', (text, why) => {
    const note = why === undefined ? [] : [`NOTE: --fast-io is disabled since we are ${why}`];
    expect(advice(text).filter((line) => line.includes('fast-io'))).toEqual(note);
  });

  it.each([
    ['comp-lzo', 1],
    ['comp-lzo no', 1],
    ['compress', 1],
    ['allow-compression asym', 1],
    ['compress migrate', 0],
    ['', 0],
    ['comp-lzo\ndisable-dco', 0],
    ['comp-lzo\ndata-ciphers-fallback AES-256-CBC', 0],
  ])('hints at --compress migrate on servers with %j: %i', (lines, count) => {
    const hint = "Consider using the '--compress migrate' option.";
    expect(texts(parse(`${SERVER}${lines}\n`).messages).filter((line) => line === hint)).toHaveLength(count);
    expect(texts(parse(`${CLIENT}${lines}\n`).messages)).not.toContain(hint);
  });

  it.each([
    ['dev tun\nifconfig 10.9.0.1 255.255.255.0\n', /point-to-point topology.* \(255\.255\.255\.0\)/],
    ['dev tun\nifconfig 10.9.0.1 10.9.0.2\n', undefined],
    ['dev tun\ntopology subnet\nifconfig 10.9.0.1 255.255.255.0\n', undefined],
    ['dev tun\nifconfig-nowarn\nifconfig 10.9.0.1 255.255.255.0\n', undefined],
    [
      'dev tap\nifconfig 10.9.0.1 10.9.0.2\n',
      /--dev tap, the second argument to --ifconfig must be a netmask/,
    ],
    ['dev tap\nifconfig 10.9.0.1 255.255.255.0\n', undefined],
    ['dev tun\n', undefined],
  ])('looks at the form of --ifconfig: %j', (text, wanted) => {
    const found = ifconfigAdvice(parse(text).options);
    if (wanted === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(wanted);
  });
});

describe('file checks', () => {
  it('list every missing file before giving up', () => {
    const messages: LogLine[] = [];
    const files = createConfigFilesMemory({ f: '', '/tmp/': '' }, { f: 0o644 });
    const text = CLIENT.replace('ca f', 'ca none.crt').replace('cert f', 'cert no.crt');
    expect(errorOf(text, { files, messages })).toBe('Please correct these errors.');
    expect(texts(messages).slice(-3)).toEqual([
      "Options error: --ca fails with 'none.crt': No such file or directory (errno=2)",
      "Options error: --cert fails with 'no.crt': No such file or directory (errno=2)",
      "WARNING: file 'f' is group or others accessible",
    ]);
  });

  it('look at the directory of files that are yet to be written', () => {
    const files = createConfigFilesMemory({ f: '', '/tmp/': '', 'run/': '', './': '' });
    expect(errorOf(`${CLIENT}status run/s\nwritepid pid\n`, { files })).toBe('none');
    expect(errorOf(`${CLIENT}status gone/s\n`, { files })).toBe('Please correct these errors.');
  });

  it('leave --extra-certs to those who read it', () => {
    const files = createConfigFilesMemory({ f: '', '/tmp/': '' });
    expect(errorOf(`${CLIENT}extra-certs none\n`, { files })).toBe('none');
  });

  it('leave inline material and prompts alone', () => {
    const files = createConfigFilesMemory({ '/tmp/': '' });
    const text = 'client\ndev tun\nremote h\n<ca>\nX\n</ca>\nauth-user-pass\naskpass stdin\n';
    expect(errorOf(text, { files })).toBe('none');
  });
});

describe('x509-track', () => {
  it('takes what the reader of certificates knows', () => {
    const isTrackable = (name: string): boolean => name === 'CN';
    expect(errorOf(`${CLIENT}x509-track CN\nx509-track +CN\n`, { isTrackable })).toBe('none');
    const text = `${CLIENT}x509-track +first\nx509-track second\n`;
    expect(errorOf(text, { isTrackable })).toBe("x509_track: no such attribute 'first'");
    expect(errorOf(text)).toBe('none');
  });
});

describe('data-ciphers', () => {
  it.each([
    ['NULL', "Unsupported cipher algorithm 'NULL'. It does not use CFB, OFB, CBC, or a supported AEAD mode"],
    [
      '?AES-128-CTR',
      "Unsupported optional cipher algorithm 'AES-128-CTR'. It does not use CFB, OFB, CBC, or a supported AEAD mode",
    ],
    ['AES-128', 'Unsupported cipher in --data-ciphers: AES-128'],
  ])('says why it leaves %s out', (list, line) => {
    const messages: LogLine[] = [];
    errorOf(`${CLIENT}data-ciphers ${list}\n`, { messages });
    expect(texts(messages)).toContain(line);
  });
});
