/**
 * Options of routes (2.x options.c, manual section of network options): the part of the network table that
 * says where traffic goes. See option-row.ts for the columns.
 */
import { isIpOrName, isIpv6, isSpecialAddress } from './addresses.ts';
import { applyRedirect, applyRoute, applyRouteIpv6 } from './apply-network.ts';
import { count, flag, MANY, type OptionRow, positiveAtoi } from './option-row.ts';

export const routeOptions: readonly OptionRow[] = [
  {
    name: 'redirect-gateway',
    min: 0,
    max: MANY,
    contexts: 'GRU',
    supported: 'yes',
    usage: '[FLAG...]',
    help: 'Send default traffic into the VPN; flags local autolocal def1 bypass-dhcp bypass-dns block-local ipv6 !ipv4',
    imports: 'route',
    apply: applyRedirect,
  },
  {
    name: 'redirect-private',
    min: 0,
    max: MANY,
    contexts: 'GRU',
    supported: 'yes',
    usage: '[FLAG...]',
    help: 'Like redirect-gateway without the default route',
    imports: 'route',
    apply: applyRedirect,
  },
  {
    name: 'route',
    min: 1,
    max: 4,
    contexts: 'GRU',
    supported: 'yes',
    usage: 'NETWORK [NETMASK] [GATEWAY] [METRIC]',
    help: 'Add IPv4 route; keywords vpn_gateway, net_gateway, remote_host, default',
    imports: 'route',
    apply: applyRoute,
  },
  {
    name: 'route-delay',
    min: 0,
    max: 2,
    contexts: 'GP',
    supported: 'yes',
    usage: '[SECONDS] [WINDOW]',
    help: 'Delay route setup n seconds after connect',
    imports: 'route-extras',
    apply: ([seconds, windowSec], options) => {
      options.routeDelayDefined = true;
      options.routeDelay = seconds === undefined ? 0 : positiveAtoi(seconds);
      if (windowSec !== undefined) options.routeDelayWindow = positiveAtoi(windowSec);
    },
  },
  {
    name: 'route-gateway',
    min: 1,
    max: 1,
    contexts: 'GPU',
    supported: 'yes',
    usage: 'HOST',
    help: 'Default gateway for routes, or dhcp',
    imports: 'route-extras',
    apply: ([gateway = ''], options, context) => {
      if (gateway === 'dhcp') {
        options.routeGatewayViaDhcp = true;
        return;
      }
      if (!isIpOrName(gateway, options.allowPullFqdn) && !isSpecialAddress(gateway)) {
        return context.fail(`route-gateway parm '${gateway}' must be a valid address`);
      }
      options.routeGateway = gateway;
    },
  },
  {
    name: 'route-ipv6',
    min: 1,
    max: 3,
    contexts: 'GRU',
    supported: 'yes',
    usage: 'NETWORK/BITS [GATEWAY] [METRIC]',
    help: 'Add IPv6 route',
    imports: 'route',
    apply: applyRouteIpv6,
  },
  {
    name: 'route-ipv6-gateway',
    min: 1,
    max: 1,
    contexts: 'N',
    supported: 'yes',
    usage: 'ADDRESS',
    help: 'Default gateway for IPv6 routes',
    apply: ([gateway = ''], options, context) => {
      if (!isIpv6(gateway))
        return context.fail(`route-ipv6-gateway parm '${gateway}' must be a valid address`);
      options.routeIpv6Gateway = gateway;
    },
  },
  {
    name: 'route-metric',
    min: 1,
    max: 1,
    contexts: 'GRU',
    supported: 'yes',
    usage: 'N',
    help: 'Default metric for routes',
    imports: 'route',
    apply: count('routeMetric'),
  },
  {
    name: 'route-noexec',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Do not add routes; only export to environment',
    apply: flag('routeNoexec'),
  },
  {
    name: 'route-table',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'ID',
    help: 'Routing table id for following routes',
    apply: count('routeTable'),
  },
];
