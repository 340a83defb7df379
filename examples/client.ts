/**
 * A client as part of a program: it connects, says what happens, and ends in order on Ctrl-C or when its
 * signal aborts. Needs root, as the openvpn program does, unless other backends are given.
 *
 *   node scripts/tools.mjs examples/client.ts client.ovpn
 *
 * In a program of your own, import from 'openvpn-ts'.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { createClient, OpenVpnError, parseConfig, type TunnelOptions } from '../src/index.ts';

/** Runs until the signal aborts or the tunnel ends; resolves the exit status that a program would have. */
export async function runClient(
  config: string,
  print: (line: string) => void,
  signal: AbortSignal,
  parts: TunnelOptions = {},
): Promise<number> {
  const client = createClient(parseConfig(config), parts);
  client.on('state', (state) => print(state));
  const ended = new Promise<Error | undefined>((resolve) => client.once('end', resolve));
  signal.addEventListener('abort', () => void client.stop(), { once: true });
  try {
    await client.start();
  } catch (error) {
    print(error instanceof OpenVpnError ? `${error.code}: ${error.message}` : String(error));
    return 1;
  }
  print('up');
  const error = await ended;
  print(error ? `ended: ${error.message}` : 'ended');
  return error ? 1 : 0;
}

const [, program = '', file = 'client.ovpn'] = process.argv;
if (import.meta.url === pathToFileURL(program).href) {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  process.exitCode = await runClient(readFileSync(file, 'utf8'), print, stop.signal);
}
