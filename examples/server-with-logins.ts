/**
 * A server that checks names and passwords in TypeScript and prints who is connected. The function may take its time,
 * since a waiting login holds up nobody else.
 *
 *   node scripts/tools.mjs examples/server-with-logins.ts server.conf
 *
 * In a program of your own, import from 'openvpn-ts'.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { createServer, parseConfig, type Tunnel, type TunnelOptions } from '../src/index.ts';

const STATUS_MS = 5000;

/** Says whether a login is good, now or later. */
export type CheckLogin = (username: string, password: string) => boolean | Promise<boolean>;

/** Resolves when the server is up. `parts` replace further backends. */
export async function startServer(
  config: string,
  checkLogin: CheckLogin,
  print: (line: string) => void,
  parts: TunnelOptions = {},
): Promise<Tunnel> {
  const options = parseConfig(`${config}\nusername-as-common-name\n`, { judgesLogins: true });
  const server = createServer(options, {
    ...parts,
    hooks: {
      async authUserPassVerify({ username, password }) {
        const good = await checkLogin(username, password);
        print(`login of ${username}: ${good ? 'accepted' : 'refused'}`);
        return good;
      },
    },
  });
  const timer = setInterval(() => print(statusText(server)), STATUS_MS);
  server.on('end', (error) => {
    clearInterval(timer);
    print(error ? `ended: ${error.message}` : 'ended');
  });
  await server.start();
  return server;
}

/** One line for all clients. */
export function statusText(server: Tunnel): string {
  const clients = server.status()?.clients ?? [];
  const texts = clients.map(
    ({ commonName, virtualAddress, bytesReceived, bytesSent }) =>
      `${commonName} at ${virtualAddress} (${bytesReceived} B in, ${bytesSent} B out)`,
  );
  return texts.length > 0 ? texts.join(', ') : 'nobody';
}

const [, program = '', file = 'server.conf'] = process.argv;
if (import.meta.url === pathToFileURL(program).href) {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const users = new Map([['anna', 'correct horse']]);
  const check: CheckLogin = (username, password) => users.get(username) === password;
  const server = await startServer(readFileSync(file, 'utf8'), check, print);
  process.once('SIGINT', () => void server.stop());
}
