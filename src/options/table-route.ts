/**
 * Options of routes (2.x options.c, manual section of network options): the part of the network table that
 * says where traffic goes. See option-row.ts for the columns.
 */
import { isIpOrName, isIpv6, isSpecialAddress } from './addresses.ts';
import { applyRedirect, applyRoute, applyRouteIpv6 } from './apply-network.ts';
import { count, flag, MANY, type OptionRow, positiveAtoi, row } from './option-row.ts';

export const routeOptions: readonly OptionRow[] = [
  row('redirect-gateway [FLAG...]', 0, MANY, 'GRU', {
    help: 'Send default traffic into the VPN; flags local autolocal def1 bypass-dhcp bypass-dns block-local ipv6 !ipv4',
    imports: 'route',
    apply: applyRedirect,
  }),
  row('redirect-private [FLAG...]', 0, MANY, 'GRU', {
    help: 'Like redirect-gateway without the default route',
    imports: 'route',
    apply: applyRedirect,
  }),
  row('route NETWORK [NETMASK] [GATEWAY] [METRIC]', 1, 4, 'GRU', {
    help: 'Add IPv4 route; keywords vpn_gateway, net_gateway, remote_host, default',
    imports: 'route',
    apply: applyRoute,
  }),
  row('route-delay [SECONDS] [WINDOW]', 0, 2, 'GP', {
    help: 'Delay route setup n seconds after connect',
    imports: 'route-extras',
    apply: ([seconds, windowSec], options) => {
      options.routeDelayDefined = true;
      options.routeDelay = seconds === undefined ? 0 : positiveAtoi(seconds);
      if (windowSec !== undefined) options.routeDelayWindow = positiveAtoi(windowSec);
    },
  }),
  row('route-gateway HOST', 1, 1, 'GPU', {
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
  }),
  row('route-ipv6 NETWORK/BITS [GATEWAY] [METRIC]', 1, 3, 'GRU', 'Add IPv6 route', applyRouteIpv6, 'route'),
  row('route-ipv6-gateway ADDRESS', 1, 1, 'N', {
    help: 'Default gateway for IPv6 routes',
    apply: ([gateway = ''], options, context) => {
      if (!isIpv6(gateway))
        return context.fail(`route-ipv6-gateway parm '${gateway}' must be a valid address`);
      options.routeIpv6Gateway = gateway;
    },
  }),
  row('route-metric N', 1, 1, 'GRU', 'Default metric for routes', count('routeMetric'), 'route'),
  row('route-noexec', 0, 0, 'G', 'Do not add routes; only export to environment', flag('routeNoexec')),
  row('route-table ID', 1, 1, 'G', 'Routing table id for following routes', count('routeTable')),
];
