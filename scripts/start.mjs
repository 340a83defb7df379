/** `npm start`: set-up, then the quickstart of the openvpn-ts program; arguments are passed on. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, START_PROGRAMS, setUp } from './setup.mjs';

const problems = await setUp(START_PROGRAMS);
for (const problem of problems) process.stderr.write(`${problem}\n`);

const program = join(root, 'bin', 'openvpn-ts');
const child = spawn(process.execPath, [program, 'quickstart', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
// The terminal sends Ctrl-C to both; the quickstart cleans up and decides when to end.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => {
  process.exitCode = signal ? 1 : (code ?? 1);
});
