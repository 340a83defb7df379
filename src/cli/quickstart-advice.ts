/**
 * What quickstart tells about connecting from elsewhere, with commands that work where they are typed.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { delimiter, join, relative, sep } from 'node:path';
import { type QuickstartFiles, serverAddress } from './quickstart-files.ts';

/** The text that is printed before serving. `command` starts openvpn-ts here, see ownCommand(). */
export function adviceText(files: QuickstartFiles, command: string): string {
  const lines = readFileSync(files.clientOvpn, 'utf8').split('\n').length;
  const pki = quoted(join(files.directory, 'pki'));
  return `
To connect from elsewhere:
  1. copy ${files.clientOvpn} (${lines} lines, keys inside: keep it private)
  2. see that its line "remote ${files.remote} ${files.port}" names an address of this machine that the other
     one can reach, and that UDP port ${files.port} is open on the way
  3. there: openvpn --config client.ovpn    (any OpenVPN 2.4 or newer, or this one)
  This machine is ${serverAddress(files)} in the tunnel. One profile a person:
     ${command} pki client NAME --dir ${pki}
     ${command} profile NAME --dir ${pki} --remote ${files.remote} --port ${files.port}
Serving until Ctrl-C.`;
}

/**
 * Words that start this package's `program` from the shell: its name where PATH has it, npx where npm installed it below
 * the working directory, its path otherwise, as in a clone.
 */
export function ownCommand(program: string, cwd = process.cwd(), path = process.env.PATH ?? ''): string {
  const own = realpathSync(program);
  const named = path.split(delimiter).map((folder) => join(folder, 'openvpn-ts'));
  // npm puts node_modules/.bin into the PATH of its scripts, which the user's shell doesn't have.
  const inPath = named.filter((file) => !file.includes(join('node_modules', '.bin')));
  if (inPath.some((file) => existsSync(file) && realpathSync(file) === own)) return 'openvpn-ts';
  if (existsSync(join(cwd, 'node_modules', '.bin', 'openvpn-ts'))) return 'npx openvpn-ts';
  const near = relative(cwd, program);
  if (near.startsWith('..')) return quoted(program);
  return quoted(near.includes(sep) ? near : `.${sep}${near}`);
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
