/**
 * Options of addresses, sockets and packet sizes (2.x options.c, manual sections link and network options).
 * See option-row.ts for the columns; options of routes stand in table-route.ts.
 */
import { applyDhcpOption, applyDns, applyLinkMtu } from './apply-network.ts';
import { TLS_CHANNEL_BUF_SIZE, TLS_CHANNEL_MTU_MIN, TUN_MTU_MIN } from './defaults.ts';
import { atoi, count, flag, MANY, type OptionRow, positiveAtoi, text } from './option-row.ts';
import { parseProto, protoList } from './proto.ts';
import { routeOptions } from './table-route.ts';

/** 2.x mtu.h TUN_MTU_MAX. */
const TUN_MTU_MOST = 65536;

export const networkOptions: readonly OptionRow[] = [
  {
    name: 'allow-recursive-routing',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Do not drop tunnel packets addressed to the VPN server',
    apply: flag('allowRecursiveRouting'),
  },
  {
    name: 'bind',
    min: 0,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: '[ipv6only]',
    help: 'Bind locally; ipv6only limits to IPv6',
    apply: ([flagWord], options) => {
      options.ce.bindDefined = true;
      if (flagWord === 'ipv6only') options.ce.bindIpv6Only = true;
    },
  },
  {
    name: 'bind-dev',
    min: 1,
    max: MANY,
    contexts: 'GPD',
    supported: 'yes',
    usage: 'DEVICE',
    help: 'SO_BINDTODEVICE for the transport socket (VRF)',
    imports: 'sockflags',
    apply: text('bindDev'),
  },
  {
    name: 'block-ipv6',
    min: 0,
    max: 0,
    contexts: 'GRU',
    supported: 'yes',
    usage: '',
    help: 'Answer tunnelled IPv6 with ICMPv6 unreachable',
    imports: 'route',
    apply: flag('blockIpv6'),
  },
  {
    name: 'dhcp-option',
    min: 1,
    max: 2,
    contexts: 'GRU',
    supported: 'yes',
    usage: 'TYPE [VALUE]',
    help: 'DNS, DOMAIN, WINS... On Linux exported as foreign_option_n (2.7 tolerates extra args)',
    imports: 'dhcpdns',
    apply: applyDhcpOption,
  },
  {
    name: 'dns',
    min: 2,
    max: MANY,
    contexts: 'GRU',
    supported: 'yes',
    usage: 'KIND VALUE...',
    help: 'search-domains ... or server N address/resolve-domains/dnssec/transport/sni',
    imports: 'dhcpdns',
    apply: applyDns,
  },
  {
    name: 'explicit-exit-notify',
    min: 0,
    max: 1,
    contexts: 'GCP',
    supported: 'yes',
    usage: '[N]',
    help: 'Tell the peer on exit/restart; server value 2 = advance to next remote',
    imports: 'explicit-notify',
    apply: ([times], options) => {
      options.ce.explicitExitNotify = times === undefined ? 1 : positiveAtoi(times);
    },
  },
  {
    name: 'fast-io',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'ignored',
    usage: '',
    help: 'Skip poll before UDP writes',
    apply: flag('fastIo'),
  },
  {
    name: 'float',
    min: 0,
    max: 0,
    contexts: 'GC',
    supported: 'yes',
    usage: '',
    help: 'Accept authenticated packets from any address',
    apply: (_values, options) => {
      options.ce.float = true;
    },
  },
  {
    name: 'fragment',
    min: 1,
    max: 2,
    contexts: 'GC',
    supported: 'yes',
    usage: 'BYTES [mtu]',
    help: 'Split datagrams so that UDP payload (or whole packet with mtu) stays under n',
    apply: ([size = '', unit], options, context) => {
      const bytes = positiveAtoi(size);
      if (bytes < 68) return context.fail('--fragment needs to be at least 68');
      options.ce.fragment = bytes;
      if (unit === 'mtu') options.ce.fragmentMtu = true;
      else if (unit !== undefined) context.error(`Unknown parameter to --fragment: ${unit}`);
    },
  },
  {
    name: 'inactive',
    min: 1,
    max: 2,
    contexts: 'GPD',
    supported: 'yes',
    usage: 'SECONDS [BYTES]',
    help: 'Exit after n s with less than given bytes on the tunnel',
    imports: 'timers',
    apply: ([seconds = '', bytes], options, context) => {
      options.inactive = positiveAtoi(seconds);
      if (bytes === undefined) return;
      options.inactiveMinimumBytes = Math.max(0, Number.parseInt(bytes, 10) || 0);
      if (options.inactiveMinimumBytes > 2147483647) {
        context.warn(
          `WARNING: '--inactive' with a 'bytes' value >2 Gbyte was silently ignored in older versions.  If  your VPN exits unexpectedly with 'Inactivity timeout' in ${options.inactive} seconds, revisit this value.`,
        );
      }
    },
  },
  {
    name: 'keepalive',
    min: 2,
    max: 2,
    contexts: 'GU',
    supported: 'yes',
    usage: 'INTERVAL TIMEOUT',
    help: 'Helper for ping + ping-restart (see config-syntax)',
    apply: ([ping = '', timeout = ''], options) => {
      options.keepalive = { ping: atoi(ping), timeout: atoi(timeout) };
    },
  },
  {
    name: 'link-mtu',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'N',
    help: 'Assumed max UDP/TCP payload of the link',
    apply: applyLinkMtu,
  },
  {
    name: 'local',
    min: 1,
    max: 3,
    contexts: 'GC',
    supported: 'yes',
    usage: 'HOST|* [PORT] [PROTO]',
    help: 'Bind address (2.6: 1 arg only); 2.7 server: repeatable, with optional port and proto, * for any',
    apply: ([host = '', port, protoName], options, context) => {
      const proto = protoName === undefined ? undefined : parseProto(protoName);
      if (protoName !== undefined && proto === undefined) {
        return context.fail(
          `Bad protocol: '${protoName}'. Allowed protocols with --proto option: ${protoList()}`,
        );
      }
      const address = host === '*' ? undefined : host;
      options.ce.local = address;
      options.ce.locals.push({ address, port, proto });
    },
  },
  {
    name: 'lport',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'PORT',
    help: 'Local port; implies bind (2.7: not for 0)',
    apply: ([port = ''], options) => {
      options.ce.lportDefined = true;
      options.ce.lport = port;
    },
  },
  {
    name: 'mark',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'N',
    help: 'SO_MARK for encrypted packets',
    apply: ([value = ''], options) => {
      options.mark = atoi(value);
    },
  },
  {
    name: 'max-packet-size',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'BYTES',
    help: 'Limit control packet size and set mssfix n mtu',
    apply: ([size = ''], options, context) => {
      const wanted = positiveAtoi(size);
      const used = Math.min(Math.max(wanted, TLS_CHANNEL_MTU_MIN), TLS_CHANNEL_BUF_SIZE);
      options.ce.maxPacketSize = used;
      if (used !== wanted) {
        context.warn(
          `Note: max-packet-size value outside of allowed control channel packet size (${TLS_CHANNEL_MTU_MIN} to ${TLS_CHANNEL_BUF_SIZE}), will use ${used} instead.`,
        );
      }
      options.ce.mssfix = { value: wanted, mode: 'mtu' };
      options.ce.mssfixDefault = false;
    },
  },
  {
    name: 'mssfix',
    min: 0,
    max: 2,
    contexts: 'GC',
    supported: 'yes',
    usage: '[BYTES] [mtu|fixed]',
    help: 'Clamp TCP MSS; 0 disables; modes mtu or fixed',
    apply: ([size, unit], options, context) => {
      const { ce } = options;
      ce.mssfixDefault = size === undefined;
      ce.mssfix =
        size === undefined
          ? { value: ce.mssfix.value, mode: 'mtu' }
          : { value: positiveAtoi(size), mode: 'payload' };
      if (unit === 'mtu' || unit === 'fixed') ce.mssfix.mode = unit;
      else if (unit !== undefined) context.error(`Unknown parameter to --mssfix: ${unit}`);
    },
  },
  {
    name: 'mtu-disc',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'MODE',
    help: 'Path-MTU discovery mode no, maybe or yes',
    apply: ([mode = ''], options, context) => {
      if (mode !== 'no' && mode !== 'maybe' && mode !== 'yes') {
        return context.fatal(`invalid --mtu-disc type: '${mode}' -- valid types are 'yes', 'maybe', or 'no'`);
      }
      options.ce.mtuDisc = mode;
    },
  },
  {
    name: 'mtu-test',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Probe path MTU on connect (UDP only)',
    apply: flag('mtuTest'),
  },
  {
    name: 'multihome',
    min: 0,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Reply from the address a UDP packet arrived on; 2.7 adds same-interface (2.6: no args)',
    apply: ([mode], options, context) => {
      if (mode !== undefined && mode !== 'same-interface') {
        return context.fail(`Unknown parameter to --multihome: ${mode}`);
      }
      options.multihome = true;
    },
  },
  {
    name: 'nobind',
    min: 0,
    max: 0,
    contexts: 'GC',
    supported: 'yes',
    usage: '',
    help: 'Use an ephemeral local port',
    apply: (_values, options) => {
      options.ce.bindLocal = false;
    },
  },
  {
    name: 'passtos',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Copy TOS of tunnelled packets to the outside',
    apply: flag('passtos'),
  },
  {
    name: 'persist-local-ip',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Keep local address across restarts',
    apply: flag('persistLocalIp'),
  },
  {
    name: 'persist-remote-ip',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Keep last authenticated remote across restarts',
    apply: flag('persistRemoteIp'),
  },
  {
    name: 'ping',
    min: 1,
    max: 1,
    contexts: 'GPD',
    supported: 'yes',
    usage: 'SECONDS',
    help: 'Send keepalive after n s without sending (2.7 max 86400)',
    imports: 'timers',
    apply: count('ping'),
  },
  {
    name: 'ping-exit',
    min: 1,
    max: 1,
    contexts: 'GPD',
    supported: 'yes',
    usage: 'SECONDS',
    help: 'Exit after n s without receiving',
    imports: 'timers',
    apply: ([seconds = ''], options) => {
      options.pingRecTimeout = positiveAtoi(seconds);
      options.pingRecAction = 'exit';
    },
  },
  {
    name: 'ping-restart',
    min: 1,
    max: 1,
    contexts: 'GPD',
    supported: 'yes',
    usage: 'SECONDS',
    help: 'Restart after n s without receiving',
    imports: 'timers',
    apply: ([seconds = ''], options) => {
      options.pingRecTimeout = positiveAtoi(seconds);
      options.pingRecAction = 'restart';
    },
  },
  {
    name: 'ping-timer-rem',
    min: 0,
    max: 0,
    contexts: 'GPD',
    supported: 'yes',
    usage: '',
    help: 'Run ping timers only once a remote is known',
    imports: 'timers',
    apply: flag('pingTimerRem'),
  },
  {
    name: 'port',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'PORT',
    help: 'Local and remote port',
    apply: ([port = ''], options) => {
      options.ce.lport = port;
      options.ce.rport = port;
    },
  },
  {
    name: 'proto',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'PROTO',
    help: 'udp, tcp-server, tcp-client, tcp and 4/6 variants',
    apply: ([name = ''], options, context) => {
      const proto = parseProto(name);
      if (proto === undefined) {
        return context.fail(`Bad protocol: '${name}'. Allowed protocols with --proto option: ${protoList()}`);
      }
      options.ce.proto = proto;
    },
  },
  {
    name: 'rcvbuf',
    min: 1,
    max: 1,
    contexts: 'GP',
    supported: 'yes',
    usage: 'BYTES',
    help: 'Socket receive buffer size',
    imports: 'sockbuf',
    apply: count('rcvbuf'),
  },
  ...routeOptions,
  {
    name: 'rport',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'PORT',
    help: 'Remote port',
    apply: ([port = ''], options) => {
      options.ce.rport = port;
    },
  },
  {
    name: 'session-timeout',
    min: 1,
    max: 1,
    contexts: 'GPD',
    supported: 'yes',
    usage: 'SECONDS',
    help: 'End the session after n seconds',
    imports: 'timers',
    apply: count('sessionTimeout'),
  },
  {
    name: 'shaper',
    min: 1,
    max: 1,
    contexts: 'GP',
    supported: 'yes',
    usage: 'BYTES',
    help: 'Limit outgoing bandwidth in bytes/s (100..100000000); not in server mode',
    imports: 'shaper',
    apply: ([rate = ''], options, context) => {
      const bytes = atoi(rate);
      if (bytes < 100 || bytes > 100000000) {
        return context.fail('Bad shaper value, must be between 100 and 100000000');
      }
      options.shaper = bytes;
    },
  },
  {
    name: 'sndbuf',
    min: 1,
    max: 1,
    contexts: 'GP',
    supported: 'yes',
    usage: 'BYTES',
    help: 'Socket send buffer size',
    imports: 'sockbuf',
    apply: count('sndbuf'),
  },
  {
    name: 'socket-flags',
    min: 0,
    max: MANY,
    contexts: 'GPD',
    supported: 'yes',
    usage: '[FLAG...]',
    help: 'Socket flags; only TCP_NODELAY is known',
    imports: 'sockflags',
    apply: (values, options, context) => {
      for (const word of values) {
        if (word === 'TCP_NODELAY') options.tcpNodelay = true;
        else context.error(`unknown socket flag: ${word}`);
      }
    },
  },
  {
    name: 'tcp-nodelay',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'TCP_NODELAY helper',
    apply: flag('tcpNodelayHelper'),
  },
  {
    name: 'tun-mtu',
    min: 1,
    max: 2,
    contexts: 'GCPU',
    supported: 'yes',
    usage: 'N [OCC-MTU]',
    help: 'Tunnel device MTU; optional second value for the OCC string',
    imports: 'push-mtu',
    apply: ([mtu = '', occMtu], options, context) => {
      const bytes = positiveAtoi(mtu);
      // 2.6.14 takes any; later ones don't, and buffers depend on what a server says here.
      if (context.context === 'P' && (bytes < TUN_MTU_MIN || bytes > TUN_MTU_MOST)) {
        return context.fail(`--mtu parm must be between ${TUN_MTU_MIN} and ${TUN_MTU_MOST}.`);
      }
      options.ce.tunMtu = bytes;
      options.ce.tunMtuDefined = true;
      options.ce.occMtu = occMtu === undefined ? 0 : positiveAtoi(occMtu);
    },
  },
  {
    name: 'tun-mtu-extra',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'N',
    help: 'Extra bytes the device may return beyond tun-mtu',
    apply: ([extra = ''], options) => {
      options.ce.tunMtuExtra = positiveAtoi(extra);
      options.ce.tunMtuExtraDefined = true;
    },
  },
  {
    name: 'tun-mtu-max',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'N',
    help: 'Upper bound for a pushed tun-mtu (2.6 tolerates a second, unused arg)',
    apply: ([max = ''], options, context) => {
      const mtu = positiveAtoi(max);
      if (mtu < 68 || mtu > 65536) context.error(`--tun-mtu-max value '${max}' is invalid`);
      else options.ce.tunMtuMax = mtu;
    },
  },
  {
    name: 'udp-mtu',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'N',
    help: 'Alias of link-mtu',
    apply: applyLinkMtu,
  },
];
