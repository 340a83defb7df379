/**
 * Option rows for options of Windows only, which Linux refuses (2.x options.c add_option(), manual section "windows").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */
import { ignored, MANY, nothing, type OptionRow, rejected } from './option-row.ts';

export const windowsOptions: readonly OptionRow[] = [
  rejected('allow-nonadmin', 0, 1, 'G', 'Let non-admins use a TAP adapter'),
  rejected('block-outside-dns', 0, 0, 'GRU', 'Block DNS outside the tunnel with WFP'),
  rejected('cryptoapicert', 1, 1, 'G', 'Certificate from the Windows store'),
  rejected('dhcp-internal', 1, 1, 'G', 'Internal helper mode'),
  rejected('dhcp-pre-release', 0, 0, 'GR', 'Release then renew DHCP lease'),
  rejected('dhcp-release', 0, 0, 'N', 'Former DHCP release switch'),
  rejected('dhcp-renew', 0, 0, 'GR', 'Renew DHCP lease on TAP'),
  rejected('ip-win32', 1, 3, 'GR', 'Windows address assignment method'),
  rejected('msg-channel HANDLE', 1, MANY, 'G', {
    help: 'Handle to the Windows interactive service',
    apply: (_values, _options, context) => context.fail('--msg-channel is only supported on Windows'),
  }),
  rejected('pause-exit', 0, 0, 'G', 'Wait for key press on exit'),
  rejected('rdns-internal', 0, 0, 'G', 'Internal helper mode'),
  rejected('register-dns', 0, 0, 'GR', 'Run ipconfig registerdns'),
  ignored('route-method METHOD', 1, 1, 'GP', {
    help: 'Windows route method adaptive/ipapi/exe',
    imports: 'route-extras',
    apply: nothing,
  }),
  rejected('service', 1, 2, 'G', 'Exit event for service wrapper'),
  rejected('show-adapters', 0, 0, 'G', 'List TAP adapters'),
  rejected('show-net', 0, 0, 'G', 'Show routing table and adapters'),
  rejected('show-net-up', 0, 0, 'GP', 'Log routes after connect'),
  rejected('show-valid-subnets', 0, 0, 'G', 'List valid TAP subnets'),
  rejected('tap-sleep', 1, 1, 'GR', 'Sleep after TAP open'),
  rejected('win-sys', 1, 1, 'G', 'Windows system directory'),
  rejected('windows-driver', 1, 1, 'G', 'Choose Windows tunnel driver'),
];
