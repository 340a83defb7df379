/**
 * Port numbers of --port, --lport and --rport: numbers, or names of /etc/services as getaddrinfo() takes
 * them.
 */
import { readFileSync } from 'node:fs';
import { OptionsError } from '../base/base.ts';
import { portNumber } from '../options/options.ts';

/** Throws OptionsError when the text is neither a number nor a known service. */
export function portOf(text: string): number {
  const port = portNumber(text) ?? servicePort(text);
  if (port === undefined) throw new OptionsError(`RESOLVE: Cannot parse port number: '${text}'`);
  return port;
}

function servicePort(name: string): number | undefined {
  let services: string;
  try {
    services = readFileSync('/etc/services', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of services.split('\n')) {
    const [first, port, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (first === name || aliases.includes(name)) return portNumber(port?.split('/')[0]);
  }
  return undefined;
}
