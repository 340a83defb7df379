/** Runs the examples as they are, with a PKI of their own, on loopback and without root. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openQuickstart, writeLocalProfile } from '../src/cli/quickstart-files.ts';
import { createTunPair, type TunnelOptions } from '../src/index.ts';
import { runClient } from './client.ts';
import { runPair } from './in-memory-pair.ts';
import { startServer, statusText } from './server-with-logins.ts';

const HANDS_OFF = '\nifconfig-noexec\nroute-noexec\n';
const memory: TunnelOptions = { tun: { name: 'memory', open: () => createTunPair().device } };

let dir: string;
let serverText: string;
let clientText: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ovpn-examples-'));
  const files = await openQuickstart(join(dir, 'quickstart'), []);
  serverText = readFileSync(files.serverConf, 'utf8');
  clientText = readFileSync(writeLocalProfile(files, '127.0.0.1'), 'utf8');
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('examples', () => {
  it('in-memory-pair carries a packet from one device to the other', async () => {
    const lines: string[] = [];
    expect(await runPair(serverText, clientText, (line) => lines.push(line))).toBe(
      'hello through the tunnel',
    );
    expect(lines).toContain('client: CONNECTED');
    expect(lines.at(-1)).toMatch(/^client: EXITING|got: hello/);
  });

  it('server-with-logins lets in who has the password, and client tells how it goes', async () => {
    const lines: string[] = [];
    const print = (line: string): void => void lines.push(line);
    const check = (name: string, password: string): boolean => `${name}:${password}` === 'anna:correct horse';
    const server = await startServer(serverText + HANDS_OFF, check, print, memory);
    try {
      const never = new AbortController().signal;
      expect(await runClient(`${clientText}${HANDS_OFF}${login('wrong')}`, print, never, memory)).toBe(1);
      expect(lines).toContain('login of anna: refused');
      expect(statusText(server)).not.toContain('anna at');

      const stop = new AbortController();
      const up = (line: string): void => {
        print(line);
        if (line !== 'up') return;
        print(statusText(server));
        stop.abort();
      };
      expect(
        await runClient(`${clientText}${HANDS_OFF}${login('correct horse')}`, up, stop.signal, memory),
      ).toBe(0);
    } finally {
      await server.stop();
    }
    expect(lines).toContain('login of anna: accepted');
    expect(lines.some((line) => /anna at 10\.\S+ \(\d+ B in, \d+ B out\)/.test(line))).toBe(true);
    expect(lines.slice(-2)).toEqual(['ended', 'ended']);
  });
});

function login(password: string): string {
  return `<auth-user-pass>\nanna\n${password}\n</auth-user-pass>\n`;
}
