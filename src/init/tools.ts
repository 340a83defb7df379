/**
 * Modes that make or print something and end (2.x init.c print_openssl_info(), do_genkey()).
 */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { OpenVpnError } from '../base/base.ts';
import { KEY2_BYTES, writeStaticKey } from '../crypto/crypto.ts';
import type { GenkeyOptions, ParseResult } from '../options/options.ts';

/** Exit status. Throws OpenVpnError when the mode can't be carried out. */
export function runTool(result: ParseResult, print: (text: string) => void): number {
  const { genkey } = result.options;
  if (result.tool === 'genkey' && genkey) return generateKey(genkey, print);
  throw new OpenVpnError(`--${result.tool} is not supported by openvpn-ts yet`, 'ERR_OVPN_UNSUPPORTED');
}

/** `--genkey secret FILE` and its old spelling; tls-auth and tls-crypt keys are the same thing. */
function generateKey({ type, file }: GenkeyOptions, print: (text: string) => void): number {
  if (type !== 'secret') {
    throw new OpenVpnError(`--genkey ${type} is not supported by openvpn-ts yet`, 'ERR_OVPN_UNSUPPORTED');
  }
  const key = randomBytes(KEY2_BYTES);
  const text = writeStaticKey(key);
  key.fill(0);
  if (file === undefined) print(text);
  else writeFileSync(file, text, { mode: 0o600 });
  return 0;
}
