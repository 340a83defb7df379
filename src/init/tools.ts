/**
 * Modes that make or print something and end (2.x init.c print_openssl_info(), do_genkey()).
 */
import { OpenVpnError } from '../base/base.ts';
import type { ParseResult } from '../options/options.ts';
import { generateKey, type ToolOutput } from './genkey.ts';

/** Exit status. Throws OpenVpnError when the mode can't be carried out. */
export function runTool(result: ParseResult, output: ToolOutput): number {
  const { genkey } = result.options;
  if (result.tool === 'genkey' && genkey) return generateKey(result.options, genkey, output);
  throw new OpenVpnError(`--${result.tool} is not supported by openvpn-ts yet`, 'ERR_OVPN_UNSUPPORTED');
}
