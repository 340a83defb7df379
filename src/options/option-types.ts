/**
 * The typed result of option parsing (2.x struct options, struct connection_entry, options.h 2.6).
 *
 * Names are the option's own in camelCase; `undefined` means "not given and no default". Seconds stay
 * seconds, as the options say them. Addresses are canonical text; ports stay text, since 2.x
 * takes service names (`portNumber()` gives the number). Values are filled by the table in
 * table-*.ts and by the post-processing of postprocess.ts; later only `applyPulledOptions()`,
 * `restorePrePull()` and `parseClientConfig()` change them.
 */
import type { CompressionSettings } from '../comp/comp.ts';

/** Contents of a key or certificate option: a path, or the text of an inline block. */
export type FileOrInline =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'inline'; readonly text: string };

/** Every value of --proto, as typed. */
export type ProtoName =
  | 'udp'
  | 'udp4'
  | 'udp6'
  | 'tcp'
  | 'tcp4'
  | 'tcp6'
  | 'tcp-server'
  | 'tcp4-server'
  | 'tcp6-server'
  | 'tcp-client'
  | 'tcp4-client'
  | 'tcp6-client';

/** -1 = bidirectional (no direction given). */
export type KeyDirection = -1 | 0 | 1;

export type Topology = 'net30' | 'p2p' | 'subnet';
export type DevType = 'tun' | 'tap';

/** 2.x mssfix: `mode` says what the value bounds (see protocol.md 19.2). */
export interface Mssfix {
  /** 0 = off. */
  value: number;
  /** 'payload': UDP payload; 'mtu': with IP and UDP headers; 'fixed': tun-mtu style, minus 40. */
  mode: 'payload' | 'mtu' | 'fixed';
}

/** One connection profile: a `<connection>` block, a --remote line, or the only one of a server. */
export interface ConnectionEntry {
  proto: ProtoName;
  /** Host name or literal; undefined for a listening side. */
  remote: string | undefined;
  /** Remote port. */
  rport: string;
  /** Address of the last --local; undefined = any. */
  local: string | undefined;
  /** Every --local in order; see listenEntries(). */
  locals: LocalOption[];
  /** Local port; undefined = kernel's choice (nobind). */
  lport: string | undefined;
  lportDefined: boolean;
  /** --bind was given. */
  bindDefined: boolean;
  bindIpv6Only: boolean;
  /** Whether to bind locally; false by --nobind or implied for clients. */
  bindLocal: boolean;
  float: boolean;
  /** Seconds between attempts: first value and cap. */
  connectRetry: number;
  connectRetryMaxDelay: number;
  /** --connect-timeout, --server-poll-timeout. */
  connectTimeout: number;
  tunMtu: number;
  tunMtuDefined: boolean;
  /** Second value of --tun-mtu, for the options string; 0 = tunMtu. */
  occMtu: number;
  /** After post-processing at least 1600 and --tun-mtu. */
  tunMtuMax: number;
  tunMtuExtra: number;
  tunMtuExtraDefined: boolean;
  linkMtu: number;
  linkMtuDefined: boolean;
  /** --max-packet-size: limit of control packets, 1250 by default. */
  maxPacketSize: number;
  mtuDisc: 'no' | 'maybe' | 'yes' | undefined;
  /** 0 = off. */
  fragment: number;
  fragmentMtu: boolean;
  mssfix: Mssfix;
  /** True while mssfix still waits for its default. */
  mssfixDefault: boolean;
  /** 0 = off. */
  explicitExitNotify: number;
  tlsAuth: FileOrInline | undefined;
  tlsCrypt: FileOrInline | undefined;
  tlsCryptV2: FileOrInline | undefined;
  tlsCryptV2ForceCookie: boolean;
  keyDirection: KeyDirection;
  httpProxy: HttpProxyOptions | undefined;
  socksProxy: SocksProxyOptions | undefined;
  /** Switched off by --proto-force. */
  disabled: boolean;
}

/** One --local. Port and protocol are 2.7's; a server opens a socket for each. */
export interface LocalOption {
  /** undefined for `*`. */
  address: string | undefined;
  port: string | undefined;
  proto: ProtoName | undefined;
}

export interface HttpProxyOptions {
  /** '' while only other options of the proxy were given. */
  server: string;
  port: string;
  /** Any text that was given as method; bad ones are found when the proxy is used. */
  auth: string;
  /** File of --http-proxy; --http-proxy-user-pass overrides it. */
  authFile: FileOrInline | undefined;
  userPass: FileOrInline | undefined;
  version: string;
  agent: string | undefined;
  customHeaders: { name: string; content: string | undefined }[];
}

export interface SocksProxyOptions {
  server: string;
  port: string;
  authFile: string | undefined;
}

/** --route: texts as given; undefined where absent. Keywords vpn_gateway, net_gateway, remote_host stay. */
export interface RouteOption {
  network: string;
  netmask: string | undefined;
  gateway: string | undefined;
  metric: number | undefined;
  /** --route-table in force when the route was read; 0 = main. */
  table: number;
}

/** --route-ipv6: `prefix` is `address/bits`. */
export interface RouteIpv6Option {
  prefix: string;
  gateway: string | undefined;
  metric: number | undefined;
  table: number;
}

/** Flags of --redirect-gateway and --redirect-private, ORed over repetitions. */
export interface RedirectGateway {
  /** The option was given at all. */
  enabled: boolean;
  /** Default route is replaced (redirect-gateway, not redirect-private). */
  reroute: boolean;
  local: boolean;
  autolocal: boolean;
  def1: boolean;
  bypassDhcp: boolean;
  bypassDns: boolean;
  blockLocal: boolean;
  /** IPv4 is redirected (false with `!ipv4`). */
  ipv4: boolean;
  ipv6: boolean;
}

export interface PullFilter {
  type: 'accept' | 'ignore' | 'reject';
  prefix: string;
}

/** One --dns server N. Source: 2.x dns.c, 2.6 syntax plus 2.7's transports. */
export interface DnsServer {
  priority: number;
  addresses: { address: string; port: number }[];
  domains: string[];
  dnssec: 'yes' | 'no' | 'optional' | undefined;
  transport: 'plain' | 'DoH' | 'DoT' | undefined;
  sni: string | undefined;
}

export interface DnsOptions {
  searchDomains: string[];
  /** Sorted by priority. While pulling only the pushed ones; finishPull() merges the local ones in. */
  servers: DnsServer[];
  /** Local servers of a pulling client. */
  serversPrePull: DnsServer[];
}

/** --setenv and --setenv-safe, in order; `safe` names have OPENVPN_ in front already. */
export interface SetenvEntry {
  name: string;
  value: string;
}

export interface IrouteOption {
  network: string;
  /** Prefix length; 32 for a host. */
  prefix: number;
}

/** Modes that print something or make a file and exit instead of running a tunnel. */
export type ToolMode =
  | 'help'
  | 'version'
  | 'genkey'
  | 'show-ciphers'
  | 'show-digests'
  | 'show-tls'
  | 'show-groups'
  | 'show-engines'
  | 'show-gateway';

export interface GenkeyOptions {
  type: 'secret' | 'tls-crypt-v2-server' | 'tls-crypt-v2-client' | 'auth-token';
  /** undefined = stdout. */
  file: string | undefined;
  extra: string | undefined;
}

export interface ClientNatOption {
  type: 'snat' | 'dnat';
  network: number;
  netmask: number;
  foreign: number;
}

/** Address pair of --ifconfig; for topology subnet and tap the second is a netmask. */
export interface IfconfigPair {
  local: string;
  remoteNetmask: string;
}

export interface IfconfigIpv6 {
  local: string;
  netbits: number;
  remote: string;
}

/** Everything of one configuration. One object a process; clones for clients of a server. */
export interface Options {
  /** Name of the first config file, '' when there is none. */
  config: string;
  mode: 'p2p' | 'server';
  forwardCompatible: boolean;
  /** --compat-mode as major*10000+minor*100+patch; 0 = off. */
  compatMode: number;
  ignoreUnknownOption: string[];
  tool: ToolMode | undefined;
  genkey: GenkeyOptions | undefined;
  showGatewayTarget: string | undefined;

  // Device
  dev: string | undefined;
  devType: string | undefined;
  devNode: string | undefined;
  lladdr: string | undefined;
  topology: Topology;
  txqueuelen: number;
  ifconfig: IfconfigPair | undefined;
  ifconfigIpv6: IfconfigIpv6 | undefined;
  ifconfigNoexec: boolean;
  ifconfigNowarn: boolean;
  disableDco: boolean;

  // Profiles
  /** While parsing: settings outside of blocks. Later: the profile in use, see useConnection(). */
  ce: ConnectionEntry;
  /** At least one after post-processing; --remote-random is for the connection logic to apply. */
  connectionList: ConnectionEntry[];
  /** --remote lines before they became profiles. */
  remoteList: { remote: string; rport: string | undefined; proto: ProtoName | undefined }[];
  remoteRandom: boolean;
  remoteRandomHostname: boolean;
  protoForce: 'udp' | 'tcp' | 'tcp-server' | 'tcp-client' | undefined;
  /** --http-proxy-override: replaces the proxy of all TCP profiles. */
  httpProxyOverride: HttpProxyOptions | undefined;
  /** --connect-retry-max rounds; 0 = no limit. */
  connectRetryMax: number;
  /** Seconds; Infinity for "infinite". */
  resolvRetry: number;
  preresolve: boolean;
  ipRemoteHint: string | undefined;

  // Network
  routes: RouteOption[];
  routesIpv6: RouteIpv6Option[];
  redirectGateway: RedirectGateway;
  routeGateway: string | undefined;
  routeGatewayViaDhcp: boolean;
  routeIpv6Gateway: string | undefined;
  routeMetric: number;
  routeTable: number;
  routeNoexec: boolean;
  routeNopull: boolean;
  /** --route-delay: seconds and window; `defined` says that it was given. */
  routeDelay: number;
  routeDelayWindow: number;
  routeDelayDefined: boolean;
  blockIpv6: boolean;
  allowPullFqdn: boolean;
  allowRecursiveRouting: boolean;
  /** --dhcp-option texts after the word, e.g. `DNS 10.8.0.1`. */
  dhcpOptions: string[];
  dns: DnsOptions;
  sndbuf: number;
  rcvbuf: number;
  /** SO_MARK; 0 = off. */
  mark: number;
  bindDev: string | undefined;
  /** TCP_NODELAY by --socket-flags or --tcp-nodelay. */
  tcpNodelay: boolean;
  fastIo: boolean;
  /** --client-nat rules, in order; addresses as unsigned numbers. */
  clientNat: ClientNatOption[];
  mtuTest: boolean;
  shaper: number;
  passtos: boolean;
  multihome: boolean;

  // Timers, seconds
  ping: number;
  /** 0 = no receive timer. */
  pingRecTimeout: number;
  pingRecAction: 'none' | 'exit' | 'restart';
  pingTimerRem: boolean;
  /** As given; expanded into ping* by post-processing. */
  keepalive: { ping: number; timeout: number } | undefined;
  inactive: number;
  inactiveMinimumBytes: number;
  sessionTimeout: number;

  // Process
  user: string | undefined;
  group: string | undefined;
  chroot: string | undefined;
  cd: string | undefined;
  nice: number;
  mlock: boolean;
  daemon: boolean;
  writepid: string | undefined;
  persistTun: boolean;
  persistKey: boolean;
  persistLocalIp: boolean;
  persistRemoteIp: boolean;
  remapUsr1: 'none' | 'SIGHUP' | 'SIGTERM';

  // Log and status
  /** First --log or --log-append. */
  log: { file: string; append: boolean } | undefined;
  /** --syslog or --daemon program name; undefined = no syslog. */
  syslog: string | undefined;
  verb: number;
  /** 0 = off. */
  mute: number;
  suppressTimestamps: boolean;
  machineReadableOutput: boolean;
  errorsToStderr: boolean;
  status: string | undefined;
  /** Seconds between writes. */
  statusInterval: number;
  statusVersion: 1 | 2 | 3;

  // Scripts
  scriptSecurity: number;
  up: string | undefined;
  down: string | undefined;
  downPre: boolean;
  upDelay: boolean;
  upRestart: boolean;
  ipchange: string | undefined;
  routeUp: string | undefined;
  routePreDown: string | undefined;
  tlsVerify: string | undefined;
  clientConnect: string | undefined;
  clientDisconnect: string | undefined;
  clientCrresponse: string | undefined;
  learnAddress: string | undefined;
  tlsCryptV2Verify: string | undefined;
  /** --tls-crypt-v2-max-age, days; 0 = any age. */
  tlsCryptV2MaxAge: number;
  authUserPassVerify: { command: string; viaFile: boolean } | undefined;
  tlsExportCert: string | undefined;
  /** --x509-track: attributes for scripts instead of the whole subject; `chain`: of every certificate. */
  x509Track: { name: string; chain: boolean }[] | undefined;
  /** At least one user script is configured. */
  userScriptUsed: boolean;
  setenv: SetenvEntry[];
  tmpDir: string;

  // Role and pull
  client: boolean;
  pull: boolean;
  tlsServer: boolean;
  tlsClient: boolean;
  pullFilters: PullFilter[];
  pushPeerInfo: boolean;
  authUserPass: FileOrInline | 'prompt' | undefined;
  authRetry: 'none' | 'nointeract' | 'interact';
  authNocache: boolean;
  /** --static-challenge; `concat` is 2.7's other form of the answer. */
  staticChallenge: { text: string; echo: boolean; format: 'scrv1' | 'concat' } | undefined;
  askpass: string | 'prompt' | undefined;

  // Server
  server: { network: string; netmask: string; nopool: boolean } | undefined;
  serverIpv6: { network: string; netbits: number } | undefined;
  serverBridge: { ip: string; netmask: string; start: string; end: string } | 'dhcp' | 'nogw' | undefined;
  /** Texts of --push and of helpers, in the order they are sent. */
  push: string[];
  /** Inclusive range; netmask for tap and topology subnet. */
  ifconfigPool: { start: string; end: string; netmask: string | undefined } | undefined;
  ifconfigPoolPersist: { file: string; refreshSec: number } | undefined;
  /** --tcp-nodelay was given: a server pushes it too. */
  tcpNodelayHelper: boolean;
  ifconfigIpv6Pool: { base: string; netbits: number } | undefined;
  ifconfigPushConstraint: { network: string; netmask: string } | undefined;
  clientToClient: boolean;
  duplicateCn: boolean;
  maxClients: number;
  /** --port-share: where other protocols' connections go. */
  portShare: { host: string; port: string; journalDir: string | undefined } | undefined;
  maxRoutesPerClient: number;
  clientConfigDir: string | undefined;
  ccdExclusive: boolean;
  /** New connections `max` per `perSec`; 0 = off. */
  connectFreq: { max: number; perSec: number };
  connectFreqInitial: { max: number; perSec: number };
  bcastBuffers: number;
  tcpQueueLimit: number;
  hashSize: { real: number; virtual: number };
  staleRoutesCheck: { ageSec: number; intervalSec: number } | undefined;
  vlanTagging: boolean;
  /** Frames that the tap device may give. */
  vlanAccept: 'tagged' | 'untagged' | 'all';
  /** VLAN of untagged frames on the tap device, or of a client. */
  vlanPvid: number;
  verifyClientCert: 'none' | 'optional' | 'require';
  usernameAsCommonName: boolean;
  /** --auth-gen-token; lifetime 0 = unlimited. Renewal is --reneg-sec where it isn't given. */
  authGenToken: { lifetimeSec: number; renewalSec: number; externalAuth: boolean } | undefined;
  authGenTokenSecret: FileOrInline | undefined;
  authUserPassOptional: boolean;
  optVerify: boolean;

  // Per client of a server (context D)
  disable: boolean;
  iroutes: IrouteOption[];
  iroutesIpv6: IrouteOption[];
  ifconfigPush: { local: string; remoteNetmask: string; alias: string | undefined } | undefined;
  ifconfigIpv6Push: IfconfigIpv6 | undefined;
  /** push-remove ifconfig / ifconfig-ipv6: no generated line of that kind either. */
  pushIfconfigBlocked: boolean;
  pushIfconfigIpv6Blocked: boolean;

  // Data channel
  /** '' while parsing when not given; post-processing then sets BF-CBC, 2.x's internal default. */
  cipher: string;
  /** --cipher (or its default) may be used when negotiation fails. */
  enableNcpFallback: boolean;
  /**
   * Colon list: for the options string, IV_CIPHERS and negotiation. Post-processing leaves canonical names of what this
   * program can do; a client's own list stands as it was written, since 2.x doesn't look at its names either.
   */
  dataCiphers: string;
  auth: string;
  /** false only with --no-replay. */
  replay: boolean;
  replayWindow: number;
  replaySec: number;
  muteReplayWarnings: boolean;
  replayPersist: string | undefined;
  /** OpenSSL providers to load. */
  providers: string[];
  secret: FileOrInline | undefined;
  keyDirection: KeyDirection;
  compress: CompressionSettings;
  /** --disable-occ turns it off. */
  occ: boolean;

  // Pushed protocol parameters
  /** undefined = none pushed. */
  peerId: number | undefined;
  protocolFlags: { ccExit: boolean; tlsEkm: boolean; dynTlsCrypt: boolean; epoch: boolean };
  authToken: string | undefined;
  /** Already base64-decoded. */
  authTokenUser: string | undefined;
  /** 0 none, 1 last part, 2 more parts follow. */
  pushContinuation: number;

  // TLS
  ca: FileOrInline | undefined;
  capath: string | undefined;
  cert: FileOrInline | undefined;
  key: FileOrInline | undefined;
  /** 'none' as given; undefined on a client. */
  dh: FileOrInline | 'none' | undefined;
  extraCerts: FileOrInline | undefined;
  /** Inline text is base64. */
  pkcs12: FileOrInline | undefined;
  crlVerify: FileOrInline | undefined;
  crlVerifyDir: boolean;
  tlsAuth: FileOrInline | undefined;
  tlsCrypt: FileOrInline | undefined;
  tlsCryptV2: FileOrInline | undefined;
  tlsCipher: string | undefined;
  tlsCiphersuites: string | undefined;
  tlsGroups: string | undefined;
  tlsCertProfile: 'insecure' | 'legacy' | 'preferred' | 'suiteb' | undefined;
  ecdhCurve: string | undefined;
  tlsVersionMin: TlsVersion | undefined;
  tlsVersionMinOrHighest: boolean;
  tlsVersionMax: TlsVersion | undefined;
  /** Masks; [] = presence only; undefined = no check. */
  remoteCertKu: number[] | undefined;
  remoteCertEku: string | undefined;
  nsCertType: 'client' | 'server' | undefined;
  verifyX509Name: { name: string; type: 'subject' | 'name' | 'name-prefix' } | undefined;
  /** --peer-fingerprint: lower-case hex SHA-256 without colons, checked at depth 0; undefined = no check. */
  peerFingerprints: string[] | undefined;
  /** --verify-hash: same form, checked at depth 1. */
  verifyHash: { algorithm: 'SHA1' | 'SHA256'; hashes: string[] } | undefined;
  /** Fingerprints replace the CA. */
  verifyHashNoCa: boolean;
  x509UsernameField: string[];
  tlsTimeout: number;
  handWindow: number;
  tranWindow: number;
  /** Seconds; 0 = off. `renegSecMin` is the lower end of the random spread; undefined = 2.x's 10 %. */
  renegSec: number;
  renegSecMin: number | undefined;
  /** 0 = off, undefined = default of the cipher. */
  renegBytes: number | undefined;
  renegPkts: number;
  singleSession: boolean;
  tlsExit: boolean;
  forceTlsKeyMaterialExport: boolean;

  /** What PUSH_REPLY may change, as it was before the first pull. */
  prePull: PrePull | undefined;
}

export type TlsVersion = '1.0' | '1.1' | '1.2' | '1.3';

/** 2.x struct options_pre_connect. */
export type PrePull = Pick<
  Options,
  | 'routes'
  | 'routesIpv6'
  | 'redirectGateway'
  | 'routeGateway'
  | 'routeIpv6Gateway'
  | 'routeGatewayViaDhcp'
  | 'dhcpOptions'
  | 'dns'
  | 'cipher'
  | 'auth'
  | 'ping'
  | 'pingRecTimeout'
  | 'pingRecAction'
  | 'compress'
  | 'clientNat'
  | 'blockIpv6'
  | 'setenv'
>;
