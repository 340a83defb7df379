/**
 * The drop-in program (2.x openvpn.c main()): argv, signals and standard output around runProgram().
 */

import { setFlagsFromString } from 'node:v8';
import { runProgram, type SignalName, SignalState } from '../init/init.ts';
import { loadNative } from '../native/native.ts';
import { inheritedDescriptors } from '../script/script.ts';
import { versionInfo } from './version-info.ts';

const SIGNALS: readonly SignalName[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'];

/** Runs the program; resolves its exit status. `argv` are the words after the program's name. */
export async function main(argv: readonly string[]): Promise<number> {
  const inheritedFds = inheritedDescriptors();
  // Memory should follow the clients: without this the young generation grows by megabytes during a
  // burst of handshakes and stays. Nothing is allocated per packet, so it need not grow.
  setFlagsFromString('--semi-space-growth-factor=1');
  loadNative()?.returnMemory();
  const signals = new SignalState();
  for (const name of SIGNALS) process.on(name, () => signals.raise(name, 'hard'));
  process.on('SIGPIPE', () => undefined);
  return runProgram({
    argv,
    signals,
    inheritedFds,
    version: versionInfo(),
    print: (text) => process.stdout.write(withEnd(text)),
    printError: (text) => process.stderr.write(withEnd(text)),
  });
}

function withEnd(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}

// Its bundle is CommonJS, which knows no await at the top; a rejection ends the process with its stack as well.
void main(process.argv.slice(2)).then((status) => process.exit(status));
