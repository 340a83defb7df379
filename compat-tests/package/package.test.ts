/** The archive of `npm pack`, installed and used where there is no compiler. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeFits } from '../../scripts/code-cache.mjs';
import { Consumer, type Ended, freePort } from './consumer.ts';

const PREBUILT = `prebuilds/${process.platform}-${process.arch}`;

let consumer: Consumer;
let installation: Ended;
beforeAll(async () => {
  consumer = new Consumer();
  installation = await consumer.install();
});
afterAll(() => consumer?.remove());

describe('the archive', () => {
  it('has the programs, the library, a prebuilt addon and what a build needs', () => {
    for (const name of [
      'bin/openvpn',
      'dist/cli/openvpn.cjs',
      'dist/index.d.ts',
      `${PREBUILT}/openvpn_native.node`,
      `${PREBUILT}/built-for.json`,
      'binding.gyp',
      'native/addon.cc',
      'scripts/install.mjs',
    ])
      expect(consumer.files).toContain(name);
    expect(consumer.files.filter((name) => /\.test\.|^(src|build|compat-tests)\//.test(name))).toEqual([]);
    // For one version of Node only: made where the package is installed.
    expect(consumer.files).not.toContain('dist/cli/openvpn.code');
  });

  it('leaves no prebuilt addon behind in the checkout', () => {
    expect(existsSync('prebuilds')).toBe(false);
  });
});

describe('installed without a compiler', () => {
  it('takes the prebuilt addon and asks for no tools', async () => {
    expect(installation.status, installation.output).toBe(0);
    expect(installation.output).not.toContain('addon was not built');
    expect(installation.output).not.toContain('compiling the C++ addon');
    expect(existsSync(join(consumer.installed, 'build'))).toBe(false);
    expect(existsSync(join(consumer.folder, 'node_modules/node-gyp'))).toBe(false);
    expect(await missingReason()).toBe('');
  });

  it("has V8's code for the program", () => {
    expect(codeFits(join(consumer.installed, 'dist/cli/openvpn.cjs'))).toBe(true);
  });

  it('runs both programs', async () => {
    const { status, output } = await consumer.run('openvpn', ['--version']);
    expect(status, output).toBe(0);
    expect(output).toMatch(/^OpenVPN 2\.6/);
    const { output: own } = await consumer.run('openvpn-ts', ['--version']);
    expect(own).toMatch(/^openvpn-ts \d+\.\d+\.\d+\n$/);
  });

  it('carries a packet between a server and a client of the library', async () => {
    await writeConfigurations();
    const example = consumer.writeExample('in-memory-pair');
    const { status, output } = await consumer.run('node', [example, 'server.conf', 'client.ovpn']);
    expect(status, output).toBe(0);
    expect(output).toContain("the server's device got: hello through the tunnel");
  });

  it('goes on without an addon that does not fit, and says what to do', async () => {
    const file = join(consumer.installed, PREBUILT, 'built-for.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(text), openssl: '9.0.0' }));
    try {
      const why = `the prebuilt C++ addon does not fit: it is for OpenSSL 9.0.0`;
      const reason = await missingReason();
      expect(reason).toContain(why);
      expect(reason).toContain('(run: npm rebuild openvpn-ts, which needs make, g++ and python3)');
      const { status, output } = await consumer.run('npm', ['rebuild', 'openvpn-ts', '--foreground-scripts']);
      expect(status, output).toBe(0);
      expect(output).toContain(why);
      expect(output).toContain('the C++ addon was not built: make, g++, python3 missing');
      expect(output).toContain('the library with a tun of its caller');
      const example = consumer.writeExample('in-memory-pair');
      const pair = await consumer.run('node', [example, 'server.conf', 'client.ovpn']);
      expect(pair.output).toContain("the server's device got: hello through the tunnel");
    } finally {
      writeFileSync(file, text);
    }
  });
});

describe('installed with a compiler', () => {
  it("is built by npm's node-gyp where the prebuilt addon does not fit", async () => {
    const prebuilds = join(consumer.installed, 'prebuilds');
    renameSync(prebuilds, `${prebuilds}-away`);
    try {
      // The tools that PATH lacks.
      const script = join(consumer.installed, 'scripts/install.mjs');
      const env = { OPENVPN_TS_REQUIRE_NATIVE: '1' };
      const path = process.env.PATH ?? '';
      const { status, output } = await consumer.run(
        'sh',
        ['-c', `PATH='${path}' exec node '${script}'`],
        env,
      );
      expect(status, output).toBe(0);
      expect(existsSync(join(consumer.installed, 'build/Release/openvpn_native.node'))).toBe(true);
      expect(await missingReason()).toBe('');
    } finally {
      renameSync(`${prebuilds}-away`, prebuilds);
    }
  });
});

describe('other ways of loading it', () => {
  it('can be required by CommonJS', async () => {
    const file = consumer.write('require.cjs', "console.log(typeof require('openvpn-ts').createClient);\n");
    const { status, output } = await consumer.run('node', [file]);
    expect(status, output).toBe(0);
    expect(output).toMatch(/^function$/m);
  });

  it.each(['esm', 'cjs'] as const)(
    'works in a bundle in the form of %s, which finds the addon',
    async (format) => {
      const file = await bundle(format, consumer.folder);
      const { status, output } = await consumer.run('node', [file, 'server.conf', 'client.ovpn']);
      expect(status, output).toBe(0);
      expect(output).toContain('addon: found');
      expect(output).toContain("the server's device got: hello through the tunnel");
    },
  );

  it('says where a bundle alone looks for the addon, and works without', async () => {
    const file = await bundle('esm', consumer.alone);
    const texts = ['server.conf', 'client.ovpn'].map((name) => join(consumer.folder, name));
    const { status, output } = await consumer.run('node', [file, ...texts]);
    expect(status, output).toBe(0);
    expect(output).toContain(
      'addon: the C++ addon is not found from a bundle: install openvpn-ts where the bundle runs, put openvpn_native.node beside it, or name that file in OPENVPN_TS_ADDON',
    );
    expect(output).toContain("the server's device got: hello through the tunnel");
  });
});

describe('its types', () => {
  it('suit TypeScript 5.2 and later with skipLibCheck off', async () => {
    consumer.write(
      'typed.ts',
      `import { createClient, parseConfig, type Tunnel } from 'openvpn-ts';
export const client: Tunnel = createClient(parseConfig('client'));
client.on('state', (state) => console.log(state));
`,
    );
    const options = {
      module: 'nodenext',
      moduleResolution: 'nodenext',
      target: 'es2022',
      strict: true,
      noEmit: true,
    };
    const compilerOptions = { ...options, skipLibCheck: false, lib: ['es2022'] };
    consumer.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['typed.ts'] }));
    for (const name of ['typescript', 'typescript-5.2']) {
      // The last types of Node for TypeScript 5.2; whoever keeps to that has these, or older ones.
      if (name === 'typescript-5.2')
        await consumer.run('npm', ['install', '--prefer-offline', '@types/node@20.19.17']);
      const tsc = resolve('node_modules', name, 'lib/tsc.js');
      const { status, output } = await consumer.run('node', [tsc, '-p', consumer.folder]);
      expect(status, `${name}: ${output}`).toBe(0);
    }
  });
});

/** Why the installed package has no addon; '' when it has one. */
async function missingReason(): Promise<string> {
  const loader = join(consumer.installed, 'dist/native/native.js');
  const script = `console.log((await import(${JSON.stringify(loader)})).nativeMissingReason() ?? '')`;
  const { output } = await consumer.run('node', ['--input-type=module', '-e', script]);
  return output.trimEnd();
}

/** Made by the installed program. */
async function writeConfigurations(): Promise<void> {
  const port = await freePort();
  for (const words of ['pki init', 'pki server gate', 'pki client alice']) {
    const { status, output } = await consumer.run('openvpn-ts', words.split(' '));
    expect(status, output).toBe(0);
  }
  const words = ['profile', 'alice', '--remote', '127.0.0.1', '--port', `${port}`, '--output', 'client.ovpn'];
  const { status, output } = await consumer.run('openvpn-ts', words);
  expect(status, output).toBe(0);
  const files = ['ca pki/ca.crt', 'cert pki/issued/gate.crt', 'key pki/private/gate.key'];
  const lines = [
    `port ${port}`,
    'local 127.0.0.1',
    'dev tun',
    'server 10.8.0.0 255.255.255.0',
    'dh none',
    'topology subnet',
  ];
  consumer.write('server.conf', `${[...lines, ...files, 'tls-crypt pki/tls-crypt.key'].join('\n')}\n`);
}

/** The example and a word on the addon in one file. */
async function bundle(format: 'esm' | 'cjs', folder: string): Promise<string> {
  const example = consumer.writeExample('in-memory-pair');
  // Its imports and runPair(), without the part that is for the program.
  const [text = ''] = readFileSync(example, 'utf8').split('const [, program');
  const entry = consumer.write(
    'bundled.mjs',
    `import { nativeMissingReason } from './node_modules/openvpn-ts/dist/native/native.js';
${text}
console.log(\`addon: \${nativeMissingReason() ?? 'found'}\`);
const [server, client] = process.argv.slice(2).map((file) => readFileSync(file, 'utf8'));
runPair(server, client, console.log);
`,
  );
  const outfile = join(folder, `bundle.${format === 'esm' ? 'mjs' : 'cjs'}`);
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format, logLevel: 'error' });
  return outfile;
}
