/** V8's code for the program: taken where it fits, by the real start file, and passed over everywhere else. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { codeFits, provideCode } from './code-cache.mjs';

let dir: string;
let program: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ovt-code-'));
  for (const folder of ['bin', 'dist/cli']) mkdirSync(join(dir, folder), { recursive: true });
  copyFileSync('bin/openvpn', join(dir, 'bin/openvpn'));
  program = join(dir, 'dist/cli/openvpn.cjs');
});
afterEach(() => rmSync(dir, { recursive: true }));

it('is made for one text, and made anew for another', () => {
  writeText('one');
  expect(codeFits(program)).toBe(false);
  provideCode(program);
  expect(codeFits(program)).toBe(true);
  writeText('two');
  expect(codeFits(program)).toBe(false);
  provideCode(program);
  expect(codeFits(program)).toBe(true);
});

it('is what a start runs, without a look at the text', () => {
  keepCodeOfAnother();
  expect(run()).toBe('one');
});

it('is passed over when it is for another text, for another V8, damaged, cut or missing', () => {
  writeText('one');
  expect(run()).toBe('one');
  provideCode(program);
  expect(run()).toBe('one');
  const kept = readFileSync(codePath());
  const code = kept.subarray(32);
  const damaged = Buffer.from(kept);
  damaged[kept.length >> 1]! ^= 1;
  const forAnotherV8 = sealed(Buffer.from(code).fill(0, 4, 8));
  for (const wrong of [damaged, kept.subarray(0, -9), kept.subarray(0, 9), forAnotherV8]) {
    writeFileSync(codePath(), wrong);
    expect(codeFits(program)).toBe(false);
    expect(run()).toBe('one');
  }
  writeFileSync(codePath(), kept);
  writeText('two');
  expect(run()).toBe('two');
});

it('leaves the file to Node where stack traces are to name the sources', () => {
  keepCodeOfAnother();
  expect(run({ NODE_OPTIONS: '--enable-source-maps' })).toBe('two');
});

it('starts without a look at NODE_EXTRA_CA_CERTS, of which Node would say that it is missing', () => {
  writeText('one');
  expect(run({ NODE_EXTRA_CA_CERTS: join(dir, 'missing') })).toBe('one');
});

/** Text "two" with the code of "one", which V8 can't tell: they are of one length. */
function keepCodeOfAnother(): void {
  writeText('one');
  provideCode(program);
  const code = readFileSync(codePath()).subarray(32);
  writeText('two');
  writeFileSync(codePath(), sealed(code));
}

function sealed(code: Uint8Array): Buffer {
  const digest = createHash('sha256').update(readFileSync(program)).update(code).digest();
  return Buffer.concat([digest, code]);
}

/** A program that says a word of three letters, from a function that V8 compiles when it is called. */
function writeText(word: string): void {
  const text = `function say() {\n  return '${word}';\n}\nrequire('node:fs').writeSync(1, say());\n`;
  writeFileSync(program, text);
}

function codePath(): string {
  return program.replace('.cjs', '.code');
}

function run(env: Readonly<Record<string, string>> = {}): string {
  const options = { encoding: 'utf8', env: { ...process.env, ...env } } as const;
  const { stdout, stderr } = spawnSync(join(dir, 'bin/openvpn'), [], options);
  return stdout + stderr;
}
