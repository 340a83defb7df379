/**
 * Options of addresses, sockets and packet sizes (2.x options.c, manual sections link and network options).
 * See option-row.ts for the columns; options of routes stand in table-route.ts.
 */
import { applyDhcpOption, applyDns, applyLinkMtu } from './apply-network.ts';
import { TLS_CHANNEL_BUF_SIZE, TLS_CHANNEL_MTU_MIN, TUN_MTU_MIN } from './connection-entry.ts';
import { atoi, count, flag, ignored, MANY, type OptionRow, positiveAtoi, row, text } from './option-row.ts';
import { parseProto, protoList } from './proto.ts';
import { routeOptions } from './table-route.ts';

/** 2.x mtu.h TUN_MTU_MAX. */
const TUN_MTU_MOST = 65536;

export const networkOptions: readonly OptionRow[] = [
  row('allow-recursive-routing', 0, 0, 'G', {
    help: 'Do not drop tunnel packets addressed to the VPN server',
    apply: flag('allowRecursiveRouting'),
  }),
  row('bind [ipv6only]', 0, 1, 'GC', 'Bind locally; ipv6only limits to IPv6', ([flagWord], options) => {
    options.ce.bindDefined = true;
    if (flagWord === 'ipv6only') options.ce.bindIpv6Only = true;
  }),
  row('bind-dev DEVICE', 1, MANY, 'GPD', {
    help: 'SO_BINDTODEVICE for the transport socket (VRF)',
    imports: 'sockflags',
    apply: text('bindDev'),
  }),
  row('block-ipv6', 0, 0, 'GRU', 'Answer tunnelled IPv6 with ICMPv6 unreachable', flag('blockIpv6'), 'route'),
  row('dhcp-option TYPE [VALUE]', 1, 2, 'GRU', {
    help: 'DNS, DOMAIN, WINS... On Linux exported as foreign_option_n (2.7 tolerates extra args)',
    imports: 'dhcpdns',
    apply: applyDhcpOption,
  }),
  row('dns KIND VALUE...', 2, MANY, 'GRU', {
    help: 'search-domains ... or server N address/resolve-domains/dnssec/transport/sni',
    imports: 'dhcpdns',
    apply: applyDns,
  }),
  row('explicit-exit-notify [N]', 0, 1, 'GCP', {
    help: 'Tell the peer on exit/restart; server value 2 = advance to next remote',
    imports: 'explicit-notify',
    apply: ([times], options) => {
      options.ce.explicitExitNotify = times === undefined ? 1 : positiveAtoi(times);
    },
  }),
  ignored('fast-io', 0, 0, 'G', 'Skip poll before UDP writes', flag('fastIo')),
  row('float', 0, 0, 'GC', 'Accept authenticated packets from any address', (_values, options) => {
    options.ce.float = true;
  }),
  row('fragment BYTES [mtu]', 1, 2, 'GC', {
    help: 'Split datagrams so that UDP payload (or whole packet with mtu) stays under n',
    apply: ([size = '', unit], options, context) => {
      const bytes = positiveAtoi(size);
      if (bytes < 68) return context.fail('--fragment needs to be at least 68');
      options.ce.fragment = bytes;
      if (unit === 'mtu') options.ce.fragmentMtu = true;
      else if (unit !== undefined) context.error(`Unknown parameter to --fragment: ${unit}`);
    },
  }),
  row('inactive SECONDS [BYTES]', 1, 2, 'GPD', {
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
  }),
  row('keepalive INTERVAL TIMEOUT', 2, 2, 'GU', {
    help: 'Helper for ping + ping-restart (see config-syntax)',
    apply: ([ping = '', timeout = ''], options) => {
      options.keepalive = { ping: atoi(ping), timeout: atoi(timeout) };
    },
  }),
  row('link-mtu N', 1, 1, 'GC', 'Assumed max UDP/TCP payload of the link', applyLinkMtu),
  row('local HOST|* [PORT] [PROTO]', 1, 3, 'GC', {
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
  }),
  row('lport PORT', 1, 1, 'GC', 'Local port; implies bind (2.7: not for 0)', ([port = ''], options) => {
    options.ce.lportDefined = true;
    options.ce.lport = port;
  }),
  row('mark N', 1, 1, 'G', 'SO_MARK for encrypted packets', ([value = ''], options) => {
    options.mark = atoi(value);
  }),
  row('max-packet-size BYTES', 1, 1, 'GC', {
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
  }),
  row('mssfix [BYTES] [mtu|fixed]', 0, 2, 'GC', {
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
  }),
  row('mtu-disc MODE', 1, 1, 'GC', {
    help: 'Path-MTU discovery mode no, maybe or yes',
    apply: ([mode = ''], options, context) => {
      if (mode !== 'no' && mode !== 'maybe' && mode !== 'yes') {
        return context.fatal(`invalid --mtu-disc type: '${mode}' -- valid types are 'yes', 'maybe', or 'no'`);
      }
      options.ce.mtuDisc = mode;
    },
  }),
  row('mtu-test', 0, 0, 'G', 'Probe path MTU on connect (UDP only)', flag('mtuTest')),
  row('multihome', 0, 1, 'G', {
    help: 'Reply from the address a UDP packet arrived on; 2.7 adds same-interface (2.6: no args)',
    apply: ([mode], options, context) => {
      if (mode !== undefined && mode !== 'same-interface') {
        return context.fail(`Unknown parameter to --multihome: ${mode}`);
      }
      options.multihome = true;
    },
  }),
  row('nobind', 0, 0, 'GC', 'Use an ephemeral local port', (_values, options) => {
    options.ce.bindLocal = false;
  }),
  row('passtos', 0, 0, 'G', 'Copy TOS of tunnelled packets to the outside', flag('passtos')),
  row('persist-local-ip', 0, 0, 'G', 'Keep local address across restarts', flag('persistLocalIp')),
  row('persist-remote-ip', 0, 0, 'G', {
    help: 'Keep last authenticated remote across restarts',
    apply: flag('persistRemoteIp'),
  }),
  row('ping SECONDS', 1, 1, 'GPD', {
    help: 'Send keepalive after n s without sending (2.7 max 86400)',
    imports: 'timers',
    apply: count('ping'),
  }),
  row('ping-exit SECONDS', 1, 1, 'GPD', {
    help: 'Exit after n s without receiving',
    imports: 'timers',
    apply: ([seconds = ''], options) => {
      options.pingRecTimeout = positiveAtoi(seconds);
      options.pingRecAction = 'exit';
    },
  }),
  row('ping-restart SECONDS', 1, 1, 'GPD', {
    help: 'Restart after n s without receiving',
    imports: 'timers',
    apply: ([seconds = ''], options) => {
      options.pingRecTimeout = positiveAtoi(seconds);
      options.pingRecAction = 'restart';
    },
  }),
  row('ping-timer-rem', 0, 0, 'GPD', {
    help: 'Run ping timers only once a remote is known',
    imports: 'timers',
    apply: flag('pingTimerRem'),
  }),
  row('port PORT', 1, 1, 'GC', 'Local and remote port', ([port = ''], options) => {
    options.ce.lport = port;
    options.ce.rport = port;
  }),
  row('proto PROTO', 1, 1, 'GC', {
    help: 'udp, tcp-server, tcp-client, tcp and 4/6 variants',
    apply: ([name = ''], options, context) => {
      const proto = parseProto(name);
      if (proto === undefined) {
        return context.fail(`Bad protocol: '${name}'. Allowed protocols with --proto option: ${protoList()}`);
      }
      options.ce.proto = proto;
    },
  }),
  row('rcvbuf BYTES', 1, 1, 'GP', 'Socket receive buffer size', count('rcvbuf'), 'sockbuf'),
  ...routeOptions,
  row('rport PORT', 1, 1, 'GC', 'Remote port', ([port = ''], options) => {
    options.ce.rport = port;
  }),
  row('session-timeout SECONDS', 1, 1, 'GPD', {
    help: 'End the session after n seconds',
    imports: 'timers',
    apply: count('sessionTimeout'),
  }),
  row('shaper BYTES', 1, 1, 'GP', {
    help: 'Limit outgoing bandwidth in bytes/s (100..100000000); not in server mode',
    imports: 'shaper',
    apply: ([rate = ''], options, context) => {
      const bytes = atoi(rate);
      if (bytes < 100 || bytes > 100000000) {
        return context.fail('Bad shaper value, must be between 100 and 100000000');
      }
      options.shaper = bytes;
    },
  }),
  row('sndbuf BYTES', 1, 1, 'GP', 'Socket send buffer size', count('sndbuf'), 'sockbuf'),
  row('socket-flags [FLAG...]', 0, MANY, 'GPD', {
    help: 'Socket flags; only TCP_NODELAY is known',
    imports: 'sockflags',
    apply: (values, options, context) => {
      for (const word of values) {
        if (word === 'TCP_NODELAY') options.tcpNodelay = true;
        else context.error(`unknown socket flag: ${word}`);
      }
    },
  }),
  row('tcp-nodelay', 0, 0, 'G', 'TCP_NODELAY helper', flag('tcpNodelayHelper')),
  row('tun-mtu N [OCC-MTU]', 1, 2, 'GCPU', {
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
  }),
  row('tun-mtu-extra N', 1, 1, 'GC', {
    help: 'Extra bytes the device may return beyond tun-mtu',
    apply: ([extra = ''], options) => {
      options.ce.tunMtuExtra = positiveAtoi(extra);
      options.ce.tunMtuExtraDefined = true;
    },
  }),
  row('tun-mtu-max N', 1, 1, 'GC', {
    help: 'Upper bound for a pushed tun-mtu (2.6 tolerates a second, unused arg)',
    apply: ([max = ''], options, context) => {
      const mtu = positiveAtoi(max);
      if (mtu < 68 || mtu > 65536) context.error(`--tun-mtu-max value '${max}' is invalid`);
      else options.ce.tunMtuMax = mtu;
    },
  }),
  row('udp-mtu N', 1, 1, 'GC', 'Alias of link-mtu', applyLinkMtu),
];
