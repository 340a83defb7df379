/**
 * Sanity checks of a complete configuration (2.x options.c options_postprocess_verify_ce()), in 2.x's
 * order, since the first that fails is the one reported. Some mistakes are only warned about.
 */
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import { ConfigError, type LogLine } from './config-error.ts';
import { dnsProblem } from './dns-options.ts';
import { listensOn } from './listen.ts';
import type { ConnectionEntry, LocalOption, Options } from './option-types.ts';
import { devTypeOf, isUdp, protoKind } from './proto.ts';

/**
 * Checks every profile against the rest; with `externalKey` a certificate goes without --key. Throws ConfigError;
 * warnings go to `messages`.
 */
export function verifyOptions(options: Options, messages: LogLine[], externalKey: boolean): void {
  for (const entry of options.connectionList) {
    verifyDevice(options, entry);
    verifyAddresses(options, entry);
    verifyProxies(options, entry);
    if (options.mode === 'server') verifyServer(options, entry, messages);
    else verifyNotServer(options, messages);
    verifyTlsRole(options, messages);
    if (options.tlsServer || options.tlsClient) verifyTls(options, entry, externalKey);
    else verifyNoTls(options);
    check(options.authUserPass !== undefined && !options.pull, '--auth-user-pass requires --pull');
  }
  const problem = dnsProblem(options.dns);
  if (problem !== undefined) throw new ConfigError(problem, 'fatal');
}

/**
 * Lines about settings that are allowed but doubtful, for the start of each connection (2.x init.c
 * do_option_warnings(), do_setup_fast_io()). `entry` is its profile.
 */
export function optionWarnings(
  options: Options,
  entry: ConnectionEntry = options.connectionList[0] ?? options.ce,
  firstTime = true,
): LogLine[] {
  const texts: (string | false)[] = [
    options.ping !== 0 &&
      options.pingRecTimeout === 0 &&
      !restartsBeforePull(options, entry) &&
      'WARNING: --ping should normally be used with --ping-restart or --ping-exit',
    ...rightsWarnings(options),
    options.pull &&
      options.ifconfig !== undefined &&
      firstTime &&
      'WARNING: using --pull/--client and --ifconfig together is probably not what you want',
    options.serverBridge !== undefined && BRIDGE_NOTE,
    ...(options.mode === 'server' ? serverWarnings(options) : []),
    options.tlsClient &&
      !verifiesServer(options) &&
      'WARNING: No server certificate verification method has been enabled.  See http://openvpn.net/howto.html#mitm for more info.',
    options.nsCertType !== undefined &&
      'WARNING: --ns-cert-type is DEPRECATED.  Use --remote-cert-tls instead.',
    options.userScriptUsed && scriptWarning(options),
  ];
  const warnings = texts.filter((text) => text !== false).map((text) => ({ level: M_WARN, text }));
  const note = fastIoNote(options, entry);
  return note === undefined ? warnings : [...warnings, { level: M_INFO, text: note }];
}

/** A pulling UDP client without ping settings restarts after a silence until the server says otherwise. */
export function restartsBeforePull({ pingRecAction, pull }: Options, { proto }: ConnectionEntry): boolean {
  return pull && pingRecAction === 'none' && isUdp(proto);
}

function rightsWarnings(options: Options): (string | false)[] {
  const { user, group, chroot } = options;
  const changes = user !== undefined || group !== undefined || chroot !== undefined;
  return [
    changes &&
      !options.persistTun &&
      'WARNING: you are using user/group/chroot/setcon without persist-tun -- this may cause restarts to fail',
    changes &&
      !options.persistKey &&
      'WARNING: you are using user/group/chroot/setcon without persist-key -- this may cause restarts to fail',
    chroot !== undefined &&
      (user === undefined || group === undefined) &&
      'WARNING: you are using chroot without specifying user and group -- this may cause the chroot jail to be insecure',
  ];
}

/** --fast-io skips a wait that isn't done here in any case; where 2.x can't skip it it says so. */
function fastIoNote({ fastIo, shaper }: Options, { proto }: ConnectionEntry): string | undefined {
  if (!fastIo) return undefined;
  if (!isUdp(proto)) return 'NOTE: --fast-io is disabled since we are not using UDP';
  return shaper === 0 ? undefined : 'NOTE: --fast-io is disabled since we are using --shaper';
}

const BRIDGE_NOTE =
  'NOTE: when bridging your LAN adapter with the TAP adapter, note that the new bridge adapter will often take on its own IP address that is different from what the LAN adapter was previously set to';

function check(condition: boolean, text: string): void {
  if (condition) throw new ConfigError(text);
}

function verifyDevice(options: Options, entry: ConnectionEntry): void {
  check(options.dev === undefined, 'You must define TUN/TAP device (--dev)');
  check(
    protoKind(entry.proto) === 'tcp',
    '--proto tcp is ambiguous in this context. Please specify --proto tcp-server or --proto tcp-client',
  );
  check(
    options.lladdr !== undefined && devTypeOf(options) !== 'tap',
    '--lladdr can only be used in --dev tap mode',
  );
  check(
    options.ce.tunMtuDefined && options.ce.linkMtuDefined,
    'only one of --tun-mtu or --link-mtu may be defined',
  );
  check(!isUdp(entry.proto) && options.mtuTest, '--mtu-test only makes sense with --proto udp');
}

function verifyAddresses(options: Options, entry: ConnectionEntry): void {
  const { local, remote } = entry;
  const own = options.ifconfig?.local;
  const peer = options.ifconfig?.remoteNetmask;
  check(same(local, remote) && same(entry.lport, entry.rport), '--remote and --local addresses are the same');
  check(
    same(remote, own) || same(remote, peer),
    '--local and --remote addresses must be distinct from --ifconfig addresses',
  );
  check(
    same(local, own) || same(local, peer),
    '--local addresses must be distinct from --ifconfig addresses',
  );
  check(same(own, peer), 'local and remote/netmask --ifconfig addresses must be different');
  const nobind = !entry.bindLocal;
  check(entry.bindDefined && nobind, "--bind and --nobind can't be used together");
  check(local !== undefined && nobind, "--local and --nobind don't make sense when used together");
  check(entry.lportDefined && nobind, "--lport and --nobind don't make sense when used together");
  check(remote === undefined && nobind, "--nobind doesn't make sense unless used with --remote");
}

function verifyProxies(options: Options, entry: ConnectionEntry): void {
  const kind = protoKind(entry.proto);
  const { httpProxy, socksProxy } = entry;
  check(kind !== 'udp' && entry.fragment !== 0, '--fragment can only be used with --proto udp');
  check(entry.remote === undefined && kind === 'tcp-client', '--remote MUST be used in TCP Client mode');
  check(
    httpProxy !== undefined && kind !== 'tcp-client',
    '--http-proxy MUST be used in TCP Client mode (i.e. --proto tcp-client)',
  );
  check(httpProxy?.server === '', '--http-proxy not specified but other http proxy options present');
  check(
    httpProxy !== undefined && socksProxy !== undefined,
    '--http-proxy can not be used together with --socks-proxy',
  );
  check(
    socksProxy !== undefined && kind === 'tcp-server',
    '--socks-proxy can not be used in TCP Server mode',
  );
  check(
    kind === 'tcp-server' && options.connectionList.length > 1,
    'TCP server mode allows at most one --remote address',
  );
}

const SERVER_PROTOS =
  '--mode server currently only supports --proto values of udp, tcp-server, tcp4-server, or tcp6-server';

function verifyServer(options: Options, entry: ConnectionEntry, messages: LogLine[]): void {
  const dev = devTypeOf(options);
  const kind = protoKind(entry.proto);
  const refuse = (condition: boolean, option: string): void =>
    check(condition, `--${option} cannot be used with --mode server`);
  check(dev !== 'tun' && dev !== 'tap', '--mode server only works with --dev tun or --dev tap');
  refuse(options.pull, 'pull');
  if (options.pullFilters.length > 0) warn(messages, '--pull-filter ignored for --mode server');
  check(kind !== 'udp' && kind !== 'tcp-server', SERVER_PROTOS);
  check(
    options.portShare !== undefined && !listensOn(options, 'tcp'),
    '--port-share only works in TCP server mode (--proto values of tcp-server, tcp4-server, or tcp6-server)',
  );
  check(!options.tlsServer, '--mode server requires --tls-server');
  refuse(entry.remote !== undefined, 'remote');
  refuse(!entry.bindLocal, 'nobind');
  refuse(entry.httpProxy !== undefined, 'http-proxy');
  refuse(entry.socksProxy !== undefined, 'socks-proxy');
  check(options.connectionList.length > 1, '<connection> cannot be used with --mode server');
  refuse(options.shaper !== 0, 'shaper');
  check(
    options.ipchange !== undefined,
    '--ipchange cannot be used with --mode server (use --client-connect instead)',
  );
  check(
    !listensOn(options, 'udp') && (options.connectFreq.max !== 0 || options.connectFreq.perSec !== 0),
    '--connect-freq only works with --mode server --proto udp.  Try --max-clients instead.',
  );
  verifyServerPool(options);
  verifyServerAuth(options);
  verifyVlan(options);
}

function verifyServerPool(options: Options): void {
  const dev = devTypeOf(options);
  check(
    dev !== 'tap' && options.topology !== 'subnet' && options.ifconfigPool?.netmask !== undefined,
    'The third parameter to --ifconfig-pool (netmask) is only valid in --dev tap mode',
  );
  check(
    options.redirectGateway.enabled,
    '--redirect-gateway cannot be used with --mode server (however --push "redirect-gateway" is fine)',
  );
  check(options.routeDelayDefined, '--route-delay cannot be used with --mode server');
  check(options.upDelay, '--up-delay cannot be used with --mode server');
  check(
    options.ifconfigPool === undefined &&
      options.ifconfigIpv6Pool === undefined &&
      options.ifconfigPoolPersist !== undefined,
    '--ifconfig-pool-persist must be used with --ifconfig-pool or --ifconfig-ipv6-pool',
  );
  check(
    options.ifconfigIpv6Pool !== undefined && options.ifconfigIpv6 === undefined,
    '--ifconfig-ipv6-pool needs --ifconfig-ipv6',
  );
}

function verifyServerAuth(options: Options): void {
  check(options.allowRecursiveRouting, '--allow-recursive-routing cannot be used with --mode server');
  check(
    options.authUserPass !== undefined,
    '--auth-user-pass cannot be used with --mode server (it should be used on the client side only)',
  );
  check(
    options.ccdExclusive && options.clientConfigDir === undefined,
    '--ccd-exclusive must be used with --client-config-dir',
  );
  const { authGenToken, renegSec, handWindow } = options;
  check(
    authGenToken !== undefined && renegSec === 0,
    '--auth-gen-token needs a non-infinite --renegotiate_seconds setting',
  );
  const renewalSec = authGenToken ? authGenToken.renewalSec || renegSec : 0;
  check(
    renewalSec !== 0 && renewalSec < 2 * handWindow,
    `--auth-gen-token renewal time needs to be at least  two times --hand-window (${handWindow}).`,
  );
  if (options.authUserPassVerify !== undefined) return;
  const postfix = 'must be used with --management-client-auth, an --auth-user-pass-verify script, or plugin';
  check(options.verifyClientCert !== 'require', `--verify-client-cert none|optional ${postfix}`);
  check(options.usernameAsCommonName, `--username-as-common-name ${postfix}`);
  check(options.authUserPassOptional, `--auth-user-pass-optional ${postfix}`);
}

function verifyVlan(options: Options): void {
  const { vlanTagging, vlanAccept, vlanPvid } = options;
  check(vlanTagging && devTypeOf(options) !== 'tap', '--vlan-tagging must be used with --dev tap');
  check(!vlanTagging && vlanAccept !== 'all', '--vlan-accept requires --vlan-tagging');
  check(!vlanTagging && vlanPvid !== 1, '--vlan-pvid requires --vlan-tagging');
}

function verifyNotServer(options: Options, messages: LogLine[]): void {
  const needServer = (condition: boolean, option: string): void =>
    check(condition, `--${option} requires --mode server`);
  needServer(
    options.ifconfigPool !== undefined || options.ifconfigPoolPersist !== undefined,
    'ifconfig-pool/--ifconfig-pool-persist',
  );
  needServer(options.ifconfigIpv6Pool !== undefined, 'ifconfig-ipv6-pool');
  needServer(options.hashSize.real !== 256 || options.hashSize.virtual !== 256, 'hash-size');
  needServer(options.learnAddress !== undefined, 'learn-address');
  needServer(options.clientConnect !== undefined, 'client-connect');
  needServer(options.clientCrresponse !== undefined, 'client-crresponse');
  needServer(options.clientDisconnect !== undefined, 'client-disconnect');
  needServer(
    options.clientConfigDir !== undefined || options.ccdExclusive,
    'client-config-dir/--ccd-exclusive',
  );
  needServer(options.clientToClient, 'client-to-client');
  needServer(options.duplicateCn, 'duplicate-cn');
  needServer(options.connectFreq.max !== 0 || options.connectFreq.perSec !== 0, 'connect-freq');
  needServer(options.verifyClientCert !== 'require', 'verify-client-cert');
  needServer(options.usernameAsCommonName, 'username-as-common-name');
  needServer(options.authUserPassOptional, 'auth-user-pass-optional');
  needServer(options.optVerify, 'opt-verify');
  if (options.tcpNodelayHelper) {
    warn(
      messages,
      'WARNING: setting tcp-nodelay on the client side will not affect the server. To have TCP_NODELAY in both direction use tcp-nodelay in the server configuration instead.',
    );
  }
  needServer(options.authUserPassVerify !== undefined, 'auth-user-pass-verify');
  needServer(options.authGenToken !== undefined, 'auth-gen-token');
  needServer(options.staleRoutesCheck !== undefined, 'stale-routes-check');
  needServer(options.vlanTagging, 'vlan-tagging');
  check(
    options.portShare !== undefined,
    '--port-share requires TCP server mode (--mode server --proto tcp-server)',
  );
  check(
    options.connectionList.some(({ locals }) => locals.length > 1 && locals.some(isNewLocal)),
    'multiple --local statements only allowed in --server mode',
  );
  needServer(options.forceTlsKeyMaterialExport, 'force-tls-key-material-export');
}

function verifyTlsRole(options: Options, messages: LogLine[]): void {
  const roles = [options.tlsServer, options.tlsClient, options.secret !== undefined].filter(Boolean);
  check(roles.length > 1, 'specify only one of --tls-server, --tls-client, or --secret');
  if (!options.tlsServer && !options.tlsClient) {
    messages.push({
      level: M_INFO,
      text: 'DEPRECATION: No tls-client or tls-server option in configuration detected. OpenVPN 2.7 will remove the functionality to run a VPN without TLS. See the examples section in the manual page for examples of a similar quick setup with peer-fingerprint.',
    });
  }
  if (options.verifyClientCert !== 'require') {
    warn(
      messages,
      'WARNING: POTENTIALLY DANGEROUS OPTION --verify-client-cert none|optional may accept clients which do not present a certificate',
    );
  }
  const { tlsVersionMin: min, tlsVersionMax: max } = options;
  check(
    min !== undefined && max !== undefined && max < min,
    '--tls-version-min bigger than --tls-version-max',
  );
}

function verifyTls(options: Options, entry: ConnectionEntry, externalKey: boolean): void {
  const { ca, capath, cert, key, pkcs12 } = options;
  check(
    !options.verifyHashNoCa && pkcs12 === undefined && ca === undefined && capath === undefined,
    'You must define CA file (--ca) or CA path (--capath) and/or peer fingerprint verification (--peer-fingerprint)',
  );
  if (pkcs12 !== undefined) {
    const clash = (condition: boolean, option: string): void =>
      check(condition, `Parameter --${option} cannot be used when --pkcs12 is also specified.`);
    clash(capath !== undefined, 'capath');
    clash(cert !== undefined, 'cert');
    clash(key !== undefined, 'key');
  } else {
    verifyOwnCertificate(options, externalKey);
  }
  check(
    entry.tlsAuth !== undefined && entry.tlsCrypt !== undefined,
    '--tls-auth and --tls-crypt are mutually exclusive',
  );
  check(
    options.tlsClient &&
      entry.tlsCryptV2 !== undefined &&
      (entry.tlsAuth !== undefined || entry.tlsCrypt !== undefined),
    '--tls-crypt-v2, --tls-auth and --tls-crypt are mutually exclusive in client mode',
  );
}

function verifyOwnCertificate({ cert, key, pull, authUserPass }: Options, externalKey: boolean): void {
  const noKey = key === undefined && !externalKey;
  if (!pull) {
    check(cert === undefined, 'You must define certificate file (--cert) or PKCS#12 file (--pkcs12)');
    check(noKey, 'You must define private key file (--key) or PKCS#12 file (--pkcs12)');
    return;
  }
  check(
    cert === undefined && noKey && authUserPass === undefined,
    'No client-side authentication method is specified.  You must use either --cert/--key, --pkcs12, or --auth-user-pass',
  );
  check((cert === undefined) !== noKey, 'If you use one of --cert or --key, you must use them both');
}

/** 2.x names its own fields in these texts. */
function verifyNoTls(o: Options): void {
  const given: readonly (readonly [boolean, string])[] = [
    [o.ca !== undefined, 'ca_file'],
    [o.capath !== undefined, 'ca_path'],
    [o.dh !== undefined, 'dh_file'],
    [o.cert !== undefined, 'cert_file'],
    [o.key !== undefined, 'priv_key_file'],
    [o.pkcs12 !== undefined, 'pkcs12_file'],
    [o.tlsCipher !== undefined, 'cipher_list'],
    [o.tlsCiphersuites !== undefined, 'cipher_list_tls13'],
    [o.tlsCertProfile !== undefined, 'tls_cert_profile'],
    [o.tlsVerify !== undefined, 'tls_verify'],
    [o.tlsExportCert !== undefined, 'tls_export_peer_cert_dir'],
    [o.verifyX509Name !== undefined, 'verify_x509_name'],
    [o.tlsTimeout !== 2, 'tls_timeout'],
    [o.renegBytes !== undefined, 'renegotiate_bytes'],
    [o.renegPkts !== 0, 'renegotiate_packets'],
    [o.renegSec !== 3600, 'renegotiate_seconds'],
    [o.handWindow !== 60, 'handshake_window'],
    [o.tranWindow !== 3600, 'transition_window'],
    [o.tlsAuth !== undefined, 'tls_auth_file'],
    [o.tlsCrypt !== undefined, 'tls_crypt_file'],
    [o.tlsCryptV2 !== undefined, 'tls_crypt_v2_file'],
    [o.singleSession, 'single_session'],
    [o.pushPeerInfo, 'push_peer_info'],
    [o.tlsExit, 'tls_exit'],
    [o.crlVerify !== undefined, 'crl_file'],
    [o.nsCertType !== undefined, 'ns_cert_type'],
    [o.remoteCertKu !== undefined, 'remote_cert_ku[0]'],
    [o.remoteCertEku !== undefined, 'remote_cert_eku'],
    [o.pull, '--pull'],
  ];
  for (const [condition, field] of given) {
    check(
      condition,
      `Parameter ${field} can only be specified in TLS-mode, i.e. where --tls-server or --tls-client is also specified.`,
    );
  }
}

function serverWarnings(options: Options): (string | false)[] {
  return [
    options.duplicateCn &&
      options.clientConfigDir !== undefined &&
      'WARNING: using --duplicate-cn and --client-config-dir together is probably not what you want',
    options.duplicateCn &&
      options.ifconfigPoolPersist !== undefined &&
      'WARNING: --ifconfig-pool-persist will not work with --duplicate-cn',
    (options.keepalive?.ping ?? 0) === 0 && 'WARNING: --keepalive option is missing from server config',
  ];
}

function verifiesServer(options: Options): boolean {
  return (
    options.tlsVerify !== undefined ||
    options.verifyX509Name !== undefined ||
    options.nsCertType === 'server' ||
    options.remoteCertEku !== undefined ||
    options.peerFingerprints !== undefined
  );
}

function scriptWarning({ scriptSecurity }: Options): string {
  return scriptSecurity >= 2
    ? 'NOTE: the current --script-security setting may allow this configuration to call user-defined scripts'
    : "NOTE: starting with OpenVPN 2.1, '--script-security 2' or higher is required to call user-defined scripts or executables";
}

/** Whether a --local is in 2.7's form, so that its meaning in 2.6 (the last one holds) isn't meant. */
function isNewLocal({ address, port }: LocalOption): boolean {
  return address === undefined || port !== undefined;
}

function same(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && a === b;
}

function warn(messages: LogLine[], text: string): void {
  messages.push({ level: M_WARN, text });
}
