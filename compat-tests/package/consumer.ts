/**
 * A user of the package: packs this checkout, installs the archive into an empty folder, and runs programs there with a
 * PATH that has node, npm and a shell, but no compiler.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import ts from 'typescript';
import { createTemporaryFolder, removeTemporaryFolder } from '../../test-kit/temporary.ts';

/** What npm and install scripts start besides node. */
const TOOLS = ['npm', 'sh', 'env'];

export interface Ended {
  readonly status: number | null;
  readonly output: string;
}

export class Consumer {
  readonly folder = createTemporaryFolder('package');
  /** A folder without the package, not below the other one. */
  readonly alone = createTemporaryFolder('alone');
  /** Names of the archive's files. */
  readonly files: readonly string[];
  readonly #archive: string;
  readonly #bin = join(this.folder, 'path');

  constructor() {
    mkdirSync(this.#bin);
    symlinkSync(process.execPath, join(this.#bin, 'node'));
    for (const tool of TOOLS) symlinkSync(inPath(tool), join(this.#bin, tool));
    const args = ['pack', '--json', '--pack-destination', this.folder, '--loglevel=error'];
    const packed = spawnSync('npm', args, { encoding: 'utf8', maxBuffer: 1 << 26 });
    if (packed.status !== 0) throw new Error(`npm pack: ${packed.stdout}${packed.stderr}`);
    const [{ filename, files }] = JSON.parse(packed.stdout) as [
      { filename: string; files: { path: string }[] },
    ];
    this.#archive = join(this.folder, filename);
    this.files = files.map(({ path }) => path);
    writeFileSync(join(this.folder, 'package.json'), '{"name":"consumer","private":true,"type":"module"}\n');
  }

  /** Installs the archive, as `npm install openvpn-ts` does. */
  install(): Promise<Ended> {
    return this.run('npm', [
      'install',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--foreground-scripts',
      this.#archive,
    ]);
  }

  /** Runs a program of the restricted PATH, or of node_modules/.bin. */
  run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const path = [this.#bin, join(this.folder, 'node_modules/.bin')].join(delimiter);
    const child = spawn(program, args, {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      // CI=true would make a missing addon an error.
      env: { ...process.env, CI: 'false', ...env, PATH: path },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    return new Promise((end) => {
      child.on('error', (error) => end({ status: 127, output: `${output}${error.message}` }));
      child.on('close', (status) => end({ status, output }));
    });
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** The package as it is installed. */
  get installed(): string {
    return join(this.folder, 'node_modules/openvpn-ts');
  }

  /** Writes an example of this repository as a module of the consumer's that imports the package. */
  writeExample(name: string): string {
    const source = readFileSync(resolve('examples', `${name}.ts`), 'utf8');
    const text = source.replace("'../src/index.ts'", "'openvpn-ts'");
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
      },
    });
    return this.write(`${name}.mjs`, outputText);
  }

  remove(): void {
    for (const folder of [this.folder, this.alone]) removeTemporaryFolder(folder);
  }
}

/** A UDP port that nobody has at the moment. */
export function freePort(): Promise<number> {
  return new Promise((done) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => done(port));
    });
  });
}

function inPath(name: string): string {
  const beside = [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)];
  const found = beside
    .map((folder) => join(folder, name))
    .find((path) => spawnSync('test', ['-x', path]).status === 0);
  if (found === undefined) throw new Error(`${name} is not in PATH`);
  return found;
}
