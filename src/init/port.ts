/**
 * Port numbers of --port, --lport and --rport, as getaddrinfo() takes them: the low 16 bits of any number that isn't
 * negative, nothing for 0, or a name of /etc/services.
 */
import { readFileSync } from 'node:fs';
import { OpenVpnError } from '../base/base.ts';

const MAX_LONG = 2n ** 64n - 1n;

/** Throws OpenVpnError when the text is neither a number nor a known service; `host` is for its text. */
export function portOf(text: string, host = 'undefined'): number {
  const port = servicePort(text);
  if (port === undefined) throw new OpenVpnError(badService(host, text), 'ERR_OVPN_RESOLVE');
  return port;
}

/** 2.x's line about a port that can't be had. */
export function badService(host: string, text: string): string {
  return `RESOLVE: Cannot resolve host address: ${host}:${text} (Servname not supported for ai_socktype)`;
}

/** The port of a number or service; undefined when it is neither. */
export function servicePort(text: string): number | undefined {
  const number = /^\s*\+?(\d*)$/.exec(text)?.[1];
  if (number === undefined) return namedPort(text);
  const value = BigInt(number === '' ? 0 : number);
  const word = BigInt.asIntN(32, value > MAX_LONG ? MAX_LONG : value);
  return word < 0n ? undefined : Number(word & 0xffffn);
}

function namedPort(name: string): number | undefined {
  let services: string;
  try {
    services = readFileSync('/etc/services', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of services.split('\n')) {
    const [first, port, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (first === name || aliases.includes(name)) return Number.parseInt(port ?? '', 10) || undefined;
  }
  return undefined;
}
