/**
 * Option rows for tool modes (2.x options.c add_option(), manual section "tool-mode").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { applyGenkey, showMode } from './apply-tool.ts';
import { notYet, type OptionRow, row } from './option-row.ts';

export const toolModeOptions: readonly OptionRow[] = [
  row('genkey [TYPE] [FILE] [EXTRA]', 0, 3, 'G', 'Generate key file of a type and exit', applyGenkey),
  notYet('mktun', 0, 0, 'G', 'Create a persistent tun/tap device and exit'),
  notYet('rmtun', 0, 0, 'G', 'Remove a persistent tun/tap device and exit'),
  notYet('show-ciphers', 0, 0, 'G', 'List data-channel ciphers and exit', showMode('show-ciphers')),
  notYet('show-curves', 0, 0, 'G', 'Alias of show-groups', showMode('show-groups')),
  notYet('show-digests', 0, 0, 'G', 'List digests and exit', showMode('show-digests')),
  notYet('show-engines', 0, 0, 'G', 'List OpenSSL engines and exit', showMode('show-engines')),
  notYet('show-gateway [ADDRESS]', 0, 1, 'G', {
    help: 'Log the default IPv4/IPv6 gateway (optionally towards an address) and exit 0',
    apply: ([target], options, context) => {
      options.showGatewayTarget = target;
      return context.stop('show-gateway');
    },
  }),
  notYet('show-groups', 0, 0, 'G', 'List TLS groups/curves and exit', showMode('show-groups')),
  notYet('show-tls', 0, 0, 'G', 'List TLS cipher suites and exit', showMode('show-tls')),
  notYet('test-crypto', 0, 0, 'G', 'Crypto self-test and exit'),
  row('version', 0, 0, 'G', {
    help: 'Print version, library versions and build flags to stdout, exit 0',
    apply: (_values, _options, context) => context.stop('version'),
  }),
];
