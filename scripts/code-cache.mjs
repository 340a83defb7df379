/**
 * V8's code for the program `openvpn`, kept beside its one file so that a start need not compile it: every function of
 * it, since the first handshake needs most of them. bin/openvpn takes it where its text and this V8 are those it was made
 * for (docs/decisions/0018-one-file-to-start.md). Made where it will run: at the build, or when a package is installed.
 *
 *   dist/cli/openvpn.code: SHA-256 of openvpn.cjs and of the rest (32 bytes) | what V8 made of openvpn.cjs
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { isProgram } from './progress.mjs';

const DIGEST_BYTES = 32;

/** Sees that the code of a program's file is there and fits. Without it the program starts all the same, more slowly. */
export function provideCode(program) {
  if (!existsSync(program) || codeFits(program)) return;
  // In a process of its own: V8 takes code only under the flags that it was made with.
  spawnSync(process.execPath, ['--no-lazy', fileURLToPath(import.meta.url), program], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 2, 2],
  });
}

/** Whether this V8 takes the code that lies beside a program's file. */
export function codeFits(program) {
  const text = readFileSync(program);
  if (!existsSync(codeFile(program))) return false;
  const file = readFileSync(codeFile(program));
  const code = file.subarray(DIGEST_BYTES);
  if (!digestOf(text, code).equals(file.subarray(0, DIGEST_BYTES))) return false;
  return new Script(wrapped(text), { filename: program, cachedData: code }).cachedDataRejected === false;
}

function make(program) {
  const text = readFileSync(program);
  const script = new Script(wrapped(text), { filename: program });
  // The flag of this process alone, by which V8 compiles what it otherwise leaves until it is called.
  setFlagsFromString('--lazy');
  const code = script.createCachedData();
  const draft = `${codeFile(program)}.${process.pid}`;
  writeFileSync(draft, Buffer.concat([digestOf(text, code), code]));
  renameSync(draft, codeFile(program));
}

function codeFile(program) {
  return program.replace(/cjs$/, 'code');
}

/** Of the code, too: V8 doesn't notice damage to it. */
function digestOf(text, code) {
  return createHash('sha256').update(text).update(code).digest();
}

/** As Node compiles a module of CommonJS. The text is ASCII. */
function wrapped(text) {
  return Module.wrap(text.latin1Slice());
}

if (isProgram(import.meta.url)) make(process.argv[2]);
