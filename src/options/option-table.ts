/**
 * The whole option table: one row per option name of 2.6 and 2.7, aliases included.
 */
import type { OptionRow } from './option-row.ts';
import { clientOptions } from './table-client.ts';
import { dataChannelOptions } from './table-data-channel.ts';
import { genericOptions } from './table-generic.ts';
import { logOptions } from './table-log.ts';
import { managementOptions } from './table-management.ts';
import { networkOptions } from './table-network.ts';
import { obsoleteOptions } from './table-obsolete.ts';
import { pkcs11Options } from './table-pkcs11.ts';
import { proxyOptions } from './table-proxy.ts';
import { scriptOptions } from './table-script.ts';
import { serverOptions } from './table-server.ts';
import { tlsOptions } from './table-tls.ts';
import { toolModeOptions } from './table-tool-mode.ts';
import { tunnelOptions } from './table-tunnel.ts';
import { windowsOptions } from './table-windows.ts';

/** Sections in the order of --help. */
export const OPTION_SECTIONS: readonly { readonly title: string; readonly rows: readonly OptionRow[] }[] = [
  { title: 'General Options', rows: genericOptions },
  { title: 'Tunnel Device Options', rows: tunnelOptions },
  { title: 'Network Options', rows: networkOptions },
  { title: 'Client Options', rows: clientOptions },
  { title: 'Server Options', rows: serverOptions },
  { title: 'Data Channel Options', rows: dataChannelOptions },
  { title: 'TLS Options', rows: tlsOptions },
  { title: 'Script Options', rows: scriptOptions },
  { title: 'Log Options', rows: logOptions },
  { title: 'Management Options', rows: managementOptions },
  { title: 'Proxy Options', rows: proxyOptions },
  { title: 'PKCS#11 Options', rows: pkcs11Options },
  { title: 'Tool Modes', rows: toolModeOptions },
  { title: 'Windows Options', rows: windowsOptions },
  { title: 'Obsolete Options', rows: obsoleteOptions },
];

const ROWS: ReadonlyMap<string, OptionRow> = new Map(
  OPTION_SECTIONS.flatMap(({ rows }) => rows.map((row) => [row.name, row] as const)),
);

/** Every row, in the order of --help. */
export const OPTION_ROWS: readonly OptionRow[] = [...ROWS.values()];

/** The row of an option word without dashes; names are case sensitive. */
export function findOption(name: string): OptionRow | undefined {
  return ROWS.get(name);
}
