/**
 * The commands of the friendly program `openvpn-ts`: what 2.x leaves to wrapper scripts (design: openvpn itself keeps
 * 2.x's own grammar, so nothing of this is in there).
 *
 *   openvpn-ts quickstart [--check]          openvpn-ts pki init | server NAME | client NAME
 *   openvpn-ts profile NAME --remote HOST    openvpn-ts --version
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { errnoLine, OpenVpnError } from '../base/base.ts';
import { portNumber } from '../options/options.ts';
import { PkiStore } from './pki-store.ts';
import { writePrivateFile } from './private-file.ts';
import { clientProfile } from './profile.ts';
import { runQuickstart } from './quickstart.ts';
import { runTransfer } from './quickstart-transfer.ts';

/** Bytes of quickstart's transfer, each way. */
const TRANSFER_BYTES = 24 * 1024 * 1024;

/** System calls in the words of a sentence. */
const VERBS: Readonly<Record<string, string>> = {
  open: 'cannot open',
  mkdir: 'cannot make the folder',
  rename: 'cannot write',
  write: 'cannot write',
  scandir: 'cannot read the folder',
};

interface ProfileOptions {
  readonly dir: string;
  readonly remote: string;
  readonly port: number;
  readonly proto: string;
  readonly output?: string;
}

/** The whole command line; `setStatus` gets the exit status of commands that have one. */
export function createProgram(setStatus: (status: number) => void): Command {
  const version = `openvpn-ts ${packageVersion()}`;
  const program = new Command('openvpn-ts')
    .description('OpenVPN in TypeScript: set up, try out, look after')
    .version(version, '--version', 'print the version of this package');
  addQuickstart(program, setStatus);
  addPki(program);
  addProfile(program);
  program
    .command('version')
    .description('print the version of this package')
    .action(() => print(`${version}\n`));
  return program;
}

/** Runs one command line (without program names) and gives the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  let status = 0;
  const program = createProgram((value) => {
    status = value;
  });
  throwAtExit(program);
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    // Said already, by the parser of the command line.
    if (error instanceof CommanderError) return error.exitCode;
    const sentence = sentenceOf(error);
    if (sentence === undefined) throw error;
    process.stderr.write(`openvpn-ts: ${sentence}\n`);
    return 1;
  }
  return status;
}

/** The parser would end the process by itself. */
function throwAtExit(command: Command): void {
  command.exitOverride();
  for (const inner of command.commands) throwAtExit(inner);
}

/** What the user can do something about, in a line; undefined for a bug. */
function sentenceOf(error: unknown): string | undefined {
  if (error instanceof OpenVpnError) return error.message;
  const { syscall, path } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || syscall === undefined) return undefined;
  return errnoLine(path === undefined ? syscall : `${VERBS[syscall] ?? syscall} ${path}`, error);
}

function addQuickstart(program: Command, setStatus: (status: number) => void): void {
  program
    .command('quickstart')
    .description('make a PKI and configuration, start a server, connect a client, and serve')
    .option('--dir <folder>', 'where everything is kept', 'quickstart')
    .option('--port <number>', "the server's UDP port (default: the first free one from 1194 on)", parsePort)
    .option('--check', 'stop after the main job; exit status 0 when ping and transfer went through', false)
    .action(async ({ dir, check, port }: { dir: string; check: boolean; port?: number }) => {
      setStatus(await runQuickstart({ directory: dir, check, bytes: TRANSFER_BYTES, port }));
    });
  program
    .command('quickstart-peer <host> <port> <bytes>', { hidden: true })
    .description("the client's side of quickstart's transfer; prints its report as JSON")
    .action(async (host: string, port: string, bytes: string) => {
      print(`${JSON.stringify(await runTransfer(host, parsePort(port), Number(bytes)))}\n`);
    });
}

function addPki(program: Command): void {
  const pki = program.command('pki').description('a small certificate authority');
  pki
    .command('init')
    .description('make a CA and a tls-crypt key')
    .option('--dir <folder>', 'folder of the PKI', 'pki')
    .option('--name <name>', 'common name of the CA', 'openvpn-ts CA')
    .action(async ({ dir, name }: { dir: string; name: string }) => {
      await new PkiStore(dir).init(name);
      print(`Made a CA in ${dir}\n`);
    });
  for (const kind of ['server', 'client'] as const) {
    pki
      .command(`${kind} <name>`)
      .description(`issue a ${kind} certificate`)
      .option('--dir <folder>', 'folder of the PKI', 'pki')
      .action(async (name: string, { dir }: { dir: string }) => {
        await new PkiStore(dir).issue(kind, name);
        print(`Issued ${dir}/issued/${name}.crt with key ${dir}/private/${name}.key\n`);
      });
  }
}

function addProfile(program: Command): void {
  program
    .command('profile <name>')
    .description("write a client's profile with all keys inside")
    .requiredOption('--remote <host>', "the server's host name or address")
    .option('--port <number>', "the server's port", parsePort, 1194)
    .option('--proto <udp|tcp>', 'transport', 'udp')
    .option('--dir <folder>', 'folder of the PKI', 'pki')
    .option('--output <file>', 'write to a file (mode 0600) instead of standard output')
    .action((name: string, options: ProfileOptions) => {
      const { remote, port, proto, output } = options;
      if (proto !== 'udp' && proto !== 'tcp') throw new OpenVpnError(`--proto is udp or tcp, not '${proto}'`);
      const text = clientProfile({ remote, port, proto }, new PkiStore(options.dir).clientBundle(name));
      if (output === undefined) print(text);
      else writePrivateFile(output, text);
    });
}

function parsePort(text: string): number {
  const port = portNumber(text);
  if (!port) throw new InvalidArgumentError('not a port number');
  return port;
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function print(text: string): void {
  process.stdout.write(text);
}
