/**
 * What a complete configuration must not have, as rules in the order in which 2.x asks (2.x options.c
 * options_postprocess_verify_ce()): the first that is broken is the one reported.
 */
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import type { ConnectionEntry, LocalOption } from './connection-entry.ts';
import { listensOn } from './listen.ts';
import type { Options } from './option-types.ts';
import { devTypeOf, isUdp, protoKind } from './proto.ts';
import type { DevType } from './tunnel-options.ts';

/** A rule that is `broken` refuses the configuration with this text; with a level the text is only logged. */
export type Rule = readonly [broken: boolean, text: string, level?: number];

/** What the caller brings along in place of options: see ParseEnvironment. */
export interface Brought {
  readonly externalKey?: boolean;
  readonly judgesLogins?: boolean;
}

/** All rules for the profile `entry`. */
export function rulesOf(options: Options, entry: ConnectionEntry, brought: Brought): Rule[] {
  const usesTls = options.tlsServer || options.tlsClient;
  return [
    ...deviceRules(options, entry),
    ...addressRules(options, entry),
    ...proxyRules(options, entry),
    ...(options.mode === 'server' ? serverRules(options, entry, brought) : notServerRules(options)),
    ...tlsRoleRules(options),
    ...(usesTls ? tlsRules(options, entry, brought) : noTlsRules(options)),
    [options.authUserPass !== undefined && !options.pull, '--auth-user-pass requires --pull'],
  ];
}

function deviceRules(o: Options, entry: ConnectionEntry): Rule[] {
  return [
    [o.dev === undefined, 'You must define TUN/TAP device (--dev)'],
    [
      protoKind(entry.proto) === 'tcp',
      '--proto tcp is ambiguous in this context. Please specify --proto tcp-server or --proto tcp-client',
    ],
    [o.lladdr !== undefined && devTypeOf(o) !== 'tap', '--lladdr can only be used in --dev tap mode'],
    [o.ce.tunMtuDefined && o.ce.linkMtuDefined, 'only one of --tun-mtu or --link-mtu may be defined'],
    [!isUdp(entry.proto) && o.mtuTest, '--mtu-test only makes sense with --proto udp'],
  ];
}

function addressRules(o: Options, { local, remote, lport, rport, ...entry }: ConnectionEntry): Rule[] {
  const own = o.ifconfig?.local;
  const peer = o.ifconfig?.remoteNetmask;
  const nobind = !entry.bindLocal;
  return [
    [same(local, remote) && same(lport, rport), '--remote and --local addresses are the same'],
    [
      same(remote, own) || same(remote, peer),
      '--local and --remote addresses must be distinct from --ifconfig addresses',
    ],
    [same(local, own) || same(local, peer), '--local addresses must be distinct from --ifconfig addresses'],
    [same(own, peer), 'local and remote/netmask --ifconfig addresses must be different'],
    [entry.bindDefined && nobind, "--bind and --nobind can't be used together"],
    [local !== undefined && nobind, "--local and --nobind don't make sense when used together"],
    [entry.lportDefined && nobind, "--lport and --nobind don't make sense when used together"],
    [remote === undefined && nobind, "--nobind doesn't make sense unless used with --remote"],
  ];
}

function proxyRules(o: Options, { proto, remote, fragment, httpProxy, socksProxy }: ConnectionEntry): Rule[] {
  const kind = protoKind(proto);
  return [
    [kind !== 'udp' && fragment !== 0, '--fragment can only be used with --proto udp'],
    [remote === undefined && kind === 'tcp-client', '--remote MUST be used in TCP Client mode'],
    [
      httpProxy !== undefined && kind !== 'tcp-client',
      '--http-proxy MUST be used in TCP Client mode (i.e. --proto tcp-client)',
    ],
    [httpProxy?.server === '', '--http-proxy not specified but other http proxy options present'],
    [
      httpProxy !== undefined && socksProxy !== undefined,
      '--http-proxy can not be used together with --socks-proxy',
    ],
    [socksProxy !== undefined && kind === 'tcp-server', '--socks-proxy can not be used in TCP Server mode'],
    [
      kind === 'tcp-server' && o.connectionList.length > 1,
      'TCP server mode allows at most one --remote address',
    ],
  ];
}

function serverRules(o: Options, entry: ConnectionEntry, brought: Brought): Rule[] {
  const dev = devTypeOf(o);
  const kind = protoKind(entry.proto);
  const notForServer = (given: boolean, option: string): Rule => [
    given,
    `--${option} cannot be used with --mode server`,
  ];
  return [
    [dev !== 'tun' && dev !== 'tap', '--mode server only works with --dev tun or --dev tap'],
    notForServer(o.pull, 'pull'),
    [o.pullFilters.length > 0, '--pull-filter ignored for --mode server', M_WARN],
    [
      kind !== 'udp' && kind !== 'tcp-server',
      '--mode server currently only supports --proto values of udp, tcp-server, tcp4-server, or tcp6-server',
    ],
    [
      o.portShare !== undefined && !listensOn(o, 'tcp'),
      '--port-share only works in TCP server mode (--proto values of tcp-server, tcp4-server, or tcp6-server)',
    ],
    [!o.tlsServer, '--mode server requires --tls-server'],
    notForServer(entry.remote !== undefined, 'remote'),
    notForServer(!entry.bindLocal, 'nobind'),
    notForServer(entry.httpProxy !== undefined, 'http-proxy'),
    notForServer(entry.socksProxy !== undefined, 'socks-proxy'),
    [o.connectionList.length > 1, '<connection> cannot be used with --mode server'],
    notForServer(o.shaper !== 0, 'shaper'),
    [o.ipchange !== undefined, '--ipchange cannot be used with --mode server (use --client-connect instead)'],
    [
      !listensOn(o, 'udp') && hasConnectFreq(o),
      '--connect-freq only works with --mode server --proto udp.  Try --max-clients instead.',
    ],
    ...poolRules(o, dev),
    notForServer(o.allowRecursiveRouting, 'allow-recursive-routing'),
    ...serverAuthRules(o, brought),
    ...vlanRules(o, dev),
  ];
}

function poolRules(o: Options, dev: DevType | undefined): Rule[] {
  const hasPool = o.ifconfigPool !== undefined || o.ifconfigIpv6Pool !== undefined;
  return [
    [
      dev !== 'tap' && o.topology !== 'subnet' && o.ifconfigPool?.netmask !== undefined,
      'The third parameter to --ifconfig-pool (netmask) is only valid in --dev tap mode',
    ],
    [
      o.redirectGateway.enabled,
      '--redirect-gateway cannot be used with --mode server (however --push "redirect-gateway" is fine)',
    ],
    [o.routeDelayDefined, '--route-delay cannot be used with --mode server'],
    [o.upDelay, '--up-delay cannot be used with --mode server'],
    [
      !hasPool && o.ifconfigPoolPersist !== undefined,
      '--ifconfig-pool-persist must be used with --ifconfig-pool or --ifconfig-ipv6-pool',
    ],
    [
      o.ifconfigIpv6Pool !== undefined && o.ifconfigIpv6 === undefined,
      '--ifconfig-ipv6-pool needs --ifconfig-ipv6',
    ],
  ];
}

function serverAuthRules(o: Options, { judgesLogins = false }: Brought): Rule[] {
  const { authGenToken, renegSec, handWindow } = o;
  const renewalSec = authGenToken ? authGenToken.renewalSec || renegSec : 0;
  const noLogin = o.authUserPassVerify === undefined && !judgesLogins;
  const postfix = 'must be used with --management-client-auth, an --auth-user-pass-verify script, or plugin';
  return [
    [
      o.authUserPass !== undefined,
      '--auth-user-pass cannot be used with --mode server (it should be used on the client side only)',
    ],
    [
      o.ccdExclusive && o.clientConfigDir === undefined,
      '--ccd-exclusive must be used with --client-config-dir',
    ],
    [
      authGenToken !== undefined && renegSec === 0,
      '--auth-gen-token needs a non-infinite --renegotiate_seconds setting',
    ],
    [
      renewalSec !== 0 && renewalSec < 2 * handWindow,
      `--auth-gen-token renewal time needs to be at least  two times --hand-window (${handWindow}).`,
    ],
    [noLogin && o.verifyClientCert !== 'require', `--verify-client-cert none|optional ${postfix}`],
    [noLogin && o.usernameAsCommonName, `--username-as-common-name ${postfix}`],
    [noLogin && o.authUserPassOptional, `--auth-user-pass-optional ${postfix}`],
  ];
}

function vlanRules({ vlanTagging, vlanAccept, vlanPvid }: Options, dev: DevType | undefined): Rule[] {
  return [
    [vlanTagging && dev !== 'tap', '--vlan-tagging must be used with --dev tap'],
    [!vlanTagging && vlanAccept !== 'all', '--vlan-accept requires --vlan-tagging'],
    [!vlanTagging && vlanPvid !== 1, '--vlan-pvid requires --vlan-tagging'],
  ];
}

function notServerRules(o: Options): Rule[] {
  const forServer = (given: boolean, option: string): Rule => [given, `--${option} requires --mode server`];
  const hasPool = o.ifconfigPool !== undefined || o.ifconfigPoolPersist !== undefined;
  return [
    forServer(hasPool, 'ifconfig-pool/--ifconfig-pool-persist'),
    forServer(o.ifconfigIpv6Pool !== undefined, 'ifconfig-ipv6-pool'),
    forServer(o.hashSize.real !== 256 || o.hashSize.virtual !== 256, 'hash-size'),
    forServer(o.learnAddress !== undefined, 'learn-address'),
    forServer(o.clientConnect !== undefined, 'client-connect'),
    forServer(o.clientCrresponse !== undefined, 'client-crresponse'),
    forServer(o.clientDisconnect !== undefined, 'client-disconnect'),
    forServer(o.clientConfigDir !== undefined || o.ccdExclusive, 'client-config-dir/--ccd-exclusive'),
    forServer(o.clientToClient, 'client-to-client'),
    forServer(o.duplicateCn, 'duplicate-cn'),
    forServer(hasConnectFreq(o), 'connect-freq'),
    forServer(o.verifyClientCert !== 'require', 'verify-client-cert'),
    forServer(o.usernameAsCommonName, 'username-as-common-name'),
    forServer(o.authUserPassOptional, 'auth-user-pass-optional'),
    forServer(o.optVerify, 'opt-verify'),
    [
      o.tcpNodelayHelper,
      'WARNING: setting tcp-nodelay on the client side will not affect the server. To have TCP_NODELAY in both direction use tcp-nodelay in the server configuration instead.',
      M_WARN,
    ],
    forServer(o.authUserPassVerify !== undefined, 'auth-user-pass-verify'),
    forServer(o.authGenToken !== undefined, 'auth-gen-token'),
    forServer(o.staleRoutesCheck !== undefined, 'stale-routes-check'),
    forServer(o.vlanTagging, 'vlan-tagging'),
    [o.portShare !== undefined, '--port-share requires TCP server mode (--mode server --proto tcp-server)'],
    [
      o.connectionList.some(({ locals }) => locals.length > 1 && locals.some(isNewLocal)),
      'multiple --local statements only allowed in --server mode',
    ],
    forServer(o.forceTlsKeyMaterialExport, 'force-tls-key-material-export'),
  ];
}

function tlsRoleRules(o: Options): Rule[] {
  const roles = [o.tlsServer, o.tlsClient, o.secret !== undefined].filter(Boolean);
  const { tlsVersionMin: min, tlsVersionMax: max } = o;
  return [
    [roles.length > 1, 'specify only one of --tls-server, --tls-client, or --secret'],
    [
      !o.tlsServer && !o.tlsClient,
      'DEPRECATION: No tls-client or tls-server option in configuration detected. OpenVPN 2.7 will remove the functionality to run a VPN without TLS. See the examples section in the manual page for examples of a similar quick setup with peer-fingerprint.',
      M_INFO,
    ],
    [
      o.verifyClientCert !== 'require',
      'WARNING: POTENTIALLY DANGEROUS OPTION --verify-client-cert none|optional may accept clients which do not present a certificate',
      M_WARN,
    ],
    [min !== undefined && max !== undefined && max < min, '--tls-version-min bigger than --tls-version-max'],
  ];
}

function tlsRules(o: Options, { tlsAuth, tlsCrypt, tlsCryptV2 }: ConnectionEntry, brought: Brought): Rule[] {
  return [
    [
      !o.verifyHashNoCa && o.pkcs12 === undefined && o.ca === undefined && o.capath === undefined,
      'You must define CA file (--ca) or CA path (--capath) and/or peer fingerprint verification (--peer-fingerprint)',
    ],
    ...(o.pkcs12 !== undefined ? bundleRules(o) : certificateRules(o, brought)),
    [tlsAuth !== undefined && tlsCrypt !== undefined, '--tls-auth and --tls-crypt are mutually exclusive'],
    [
      o.tlsClient && tlsCryptV2 !== undefined && (tlsAuth !== undefined || tlsCrypt !== undefined),
      '--tls-crypt-v2, --tls-auth and --tls-crypt are mutually exclusive in client mode',
    ],
  ];
}

function bundleRules(o: Options): Rule[] {
  const clash = (given: boolean, option: string): Rule => [
    given,
    `Parameter --${option} cannot be used when --pkcs12 is also specified.`,
  ];
  return [
    clash(o.capath !== undefined, 'capath'),
    clash(o.cert !== undefined, 'cert'),
    clash(o.key !== undefined, 'key'),
  ];
}

function certificateRules({ cert, key, pull, authUserPass }: Options, brought: Brought): Rule[] {
  const noCert = cert === undefined;
  const noKey = key === undefined && !brought.externalKey;
  if (!pull) {
    return [
      [noCert, 'You must define certificate file (--cert) or PKCS#12 file (--pkcs12)'],
      [noKey, 'You must define private key file (--key) or PKCS#12 file (--pkcs12)'],
    ];
  }
  return [
    [
      noCert && noKey && authUserPass === undefined,
      'No client-side authentication method is specified.  You must use either --cert/--key, --pkcs12, or --auth-user-pass',
    ],
    [noCert !== noKey, 'If you use one of --cert or --key, you must use them both'],
  ];
}

/** 2.x names its own fields in these texts. */
function noTlsRules(o: Options): Rule[] {
  const forTls = (given: boolean, field: string): Rule => [
    given,
    `Parameter ${field} can only be specified in TLS-mode, i.e. where --tls-server or --tls-client is also specified.`,
  ];
  return [
    forTls(o.ca !== undefined, 'ca_file'),
    forTls(o.capath !== undefined, 'ca_path'),
    forTls(o.dh !== undefined, 'dh_file'),
    forTls(o.cert !== undefined, 'cert_file'),
    forTls(o.key !== undefined, 'priv_key_file'),
    forTls(o.pkcs12 !== undefined, 'pkcs12_file'),
    forTls(o.tlsCipher !== undefined, 'cipher_list'),
    forTls(o.tlsCiphersuites !== undefined, 'cipher_list_tls13'),
    forTls(o.tlsCertProfile !== undefined, 'tls_cert_profile'),
    forTls(o.tlsVerify !== undefined, 'tls_verify'),
    forTls(o.tlsExportCert !== undefined, 'tls_export_peer_cert_dir'),
    forTls(o.verifyX509Name !== undefined, 'verify_x509_name'),
    forTls(o.tlsTimeout !== 2, 'tls_timeout'),
    forTls(o.renegBytes !== undefined, 'renegotiate_bytes'),
    forTls(o.renegPkts !== 0, 'renegotiate_packets'),
    forTls(o.renegSec !== 3600, 'renegotiate_seconds'),
    forTls(o.handWindow !== 60, 'handshake_window'),
    forTls(o.tranWindow !== 3600, 'transition_window'),
    forTls(o.tlsAuth !== undefined, 'tls_auth_file'),
    forTls(o.tlsCrypt !== undefined, 'tls_crypt_file'),
    forTls(o.tlsCryptV2 !== undefined, 'tls_crypt_v2_file'),
    forTls(o.singleSession, 'single_session'),
    forTls(o.pushPeerInfo, 'push_peer_info'),
    forTls(o.tlsExit, 'tls_exit'),
    forTls(o.crlVerify !== undefined, 'crl_file'),
    forTls(o.nsCertType !== undefined, 'ns_cert_type'),
    forTls(o.remoteCertKu !== undefined, 'remote_cert_ku[0]'),
    forTls(o.remoteCertEku !== undefined, 'remote_cert_eku'),
    forTls(o.pull, '--pull'),
  ];
}

function hasConnectFreq({ connectFreq }: Options): boolean {
  return connectFreq.max !== 0 || connectFreq.perSec !== 0;
}

/** Whether a --local is in 2.7's form, so that its meaning in 2.6 (the last one holds) isn't meant. */
function isNewLocal({ address, port }: LocalOption): boolean {
  return address === undefined || port !== undefined;
}

function same(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && a === b;
}
