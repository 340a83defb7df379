/**
 * What options of one client do on a server: a row for each group of options of context D that don't meet, with what
 * a server of 2.6.14 tells the client, logs and does. The scenario of "Options of one client" holds both programs'
 * servers against it, so that a row without an effect of its own is one of 2.x, too.
 */

export interface ClientOptionsRow {
  /** Name of the client, and of its file. */
  readonly name: string;
  /** Lines of the client's file. */
  readonly file: readonly string[];
  /** Options that the client is told besides those that it is told without a file; undefined = not looked at. */
  readonly more?: readonly string[];
  /** Options that it is not told, though others are. */
  readonly less?: readonly string[];
  /** Whether it is let in; yes when left out. */
  readonly refused?: true;
  /** What the server logs for this client. */
  readonly logs?: readonly RegExp[];
  /** Lines about this client that may not come more or less often. */
  readonly counts?: readonly (readonly [RegExp, number])[];
  /** What ends the client at the server after a while. */
  readonly ends?: RegExp;
  /** The client is stopped meanwhile, so that nothing comes from it. */
  readonly frozen?: true;
  /** Whether packets get through; yes when left out. */
  readonly silent?: true;
}

/** Lines of the server that rows refer to. */
export const CLIENT_OPTIONS_SERVER: readonly string[] = [
  'push "route 10.1.0.0 255.255.0.0"',
  'push "route 10.2.0.0 255.255.0.0"',
];
/** A file that a row names. */
export const INCLUDED = { name: 'included', text: 'push "route 10.4.0.0 255.255.0.0"\nping 4\n' };

const CLOSED = /client-instance (exiting|restarting)/;

export const CLIENT_OPTIONS: readonly ClientOptionsRow[] = [
  {
    name: 'addresses',
    file: [
      'ifconfig-push 10.8.0.77 255.255.255.0',
      'ifconfig-ipv6-push fd00:8::77/64 fd00:8::1',
      'iroute 192.168.77.0 255.255.255.0',
      'iroute 192.168.78.9',
      'iroute-ipv6 2001:db8:77::/64',
      'push "route 10.3.0.0 255.255.0.0"',
    ],
    more: [
      'ifconfig 10.8.0.77 255.255.255.0',
      'ifconfig-ipv6 fd00:8::77/64 fd00:8::1',
      'route 10.3.0.0 255.255.0.0',
    ],
    logs: [
      /MULTI: primary virtual IP for \S+: 10\.8\.0\.77$/,
      /MULTI: internal route 192\.168\.77\.0\/24 -> /,
      /MULTI: Learn: 192\.168\.78\.9\/32 -> /,
      /MULTI: Learn: 2001:db8:77::\/64 -> /,
    ],
  },
  {
    name: 'push-remove',
    file: ['push-remove "route 10.1"', 'push-remove ping-restart'],
    less: ['route 10.1.0.0 255.255.0.0', 'ping-restart 60'],
    logs: [/PUSH_REMOVE 'route 10\.1'/],
  },
  {
    name: 'push-reset',
    file: ['push-reset', 'push "topology subnet"', 'push "route-gateway 10.8.0.1"'],
    less: [
      'route 10.1.0.0 255.255.0.0',
      'route 10.2.0.0 255.255.0.0',
      'ping 10',
      'ping-restart 60',
      'tun-ipv6',
    ],
  },
  {
    name: 'timers',
    file: ['ping 7', 'ping-restart 71', 'ping-timer-rem', 'inactive 300 100', 'session-timeout 3600'],
    more: [],
    logs: [/Timers: ping 7, ping-restart 71, inactive 300 100, session-timeout 3600/],
  },
  { name: 'session-timeout', file: ['session-timeout 2'], ends: /Session timeout, exiting/ },
  { name: 'inactive', file: ['inactive 2 100000'], ends: /Inactivity timeout \(--inactive\), exiting/ },
  {
    name: 'ping-exit',
    file: ['ping-exit 2'],
    frozen: true,
    ends: /Inactivity timeout \(--ping-exit\), exiting/,
  },
  {
    name: 'ping-restart',
    file: ['ping-restart 2'],
    frozen: true,
    ends: /Inactivity timeout \(--ping-restart\), restarting/,
  },
  {
    // A client that negotiates gets what data-ciphers has, whatever these say.
    name: 'cipher',
    file: ['cipher AES-128-GCM', 'data-ciphers-fallback AES-128-CBC'],
    more: [],
    logs: [/Data Channel: cipher 'AES-256-GCM', peer-id: \d+$/],
  },
  {
    name: 'data-ciphers',
    file: ['data-ciphers CHACHA20-POLY1305'],
    more: ['cipher CHACHA20-POLY1305'],
    logs: [/Data Channel: cipher 'CHACHA20-POLY1305'/],
  },
  {
    name: 'ncp-ciphers',
    file: ['ncp-ciphers AES-128-GCM'],
    more: ['cipher AES-128-GCM'],
    logs: [/Note: Treating option '--ncp-ciphers' as/],
  },
  {
    name: 'comp-lzo-no',
    file: ['comp-lzo no', 'push "comp-lzo no"'],
    more: ['comp-lzo no'],
    logs: [/Data Channel: .*, compression: 'stub'/],
  },
  {
    name: 'compress',
    file: ['compress stub-v2', 'push "compress stub-v2"'],
    more: ['compress stub-v2'],
    logs: [/Data Channel: .*, compression: 'stubv2'/],
  },
  {
    // The server's own framing alone: the client isn't told, and neither understands the other.
    name: 'compress-untold',
    file: ['comp-lzo no'],
    more: [],
    silent: true,
    logs: [/Bad compression stub decompression header byte: 69/],
  },
  {
    name: 'comp-lzo',
    file: ['comp-lzo'],
    refused: true,
    logs: [/MULTI: client has been rejected due to invalid compression options/],
  },
  {
    name: 'config',
    file: ['config included'],
    more: ['route 10.4.0.0 255.255.0.0'],
    logs: [/Timers: ping 4, /],
  },
  {
    name: 'disable',
    file: ['disable'],
    refused: true,
    logs: [/MULTI: client has been rejected due to 'disable' directive/],
  },
  {
    name: 'socket-flags',
    file: ['socket-flags TCP_NODELAY'],
    more: [],
    logs: [/OPTIONS IMPORT: --socket-flags option modified/, /NOTE: setsockopt TCP_NODELAY=1 failed/],
  },
  {
    // Two addresses of the client's own are all that it may have.
    name: 'max-routes-per-client',
    file: [
      'max-routes-per-client 2',
      'iroute 192.168.71.0 255.255.255.0',
      'iroute 192.168.72.0 255.255.255.0',
    ],
    more: [],
    logs: [/MULTI: Learn FAILED: 192\.168\.71\.0\/24 -> /],
    counts: [[/MULTI ROUTE: route quota \(2\) exceeded/, 2]],
  },
  {
    // Known here, and of no effect in 2.x either.
    name: 'none',
    file: [
      'echo hello',
      'parameter x',
      'auth-token abc',
      'auth-token-user YWJj',
      'bind-dev nowhere',
      'vlan-pvid 7',
      'compress migrate',
    ],
    more: [],
    counts: [[/Options error/, 0]],
  },
  {
    name: 'wrong',
    file: ['verb 9', 'ping', 'no-such-option', 'vlan-pvid 0', 'push a,b', '<ca>', 'x', '</ca>', 'push "x'],
    more: [],
    logs: [
      /Options error: option 'verb' cannot be used in this context \(\S+\/wrong\)$/,
      /Options error: Unrecognized option or missing or extra parameter\(s\) in \S+\/wrong:2: ping /,
      /Options error: Unrecognized option or missing or extra parameter\(s\) in \S+\/wrong:3: no-such-option /,
      /Options error: the parameter of --vlan-pvid parameters must be >= 1 and <= 4094$/,
      /Options error: PUSH OPTION FAILED \(illegal comma \(','\) in string\): 'a,b'$/,
      /Options error: option 'ca' cannot be used in this context /,
      /Options error: No closing quotation \("\) in \S+\/wrong:9$/,
    ],
  },
];

/** What the server logs when such a client has ended. */
export { CLOSED };
