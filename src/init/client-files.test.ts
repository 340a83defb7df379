/** Which file of --client-config-dir is a client's. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { textOfBytes } from '../base/base.ts';
import { clientFiles } from './client-files.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ovpn-ccd-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

it('has the very name of the client, byte for byte', async () => {
  const raw = Uint8Array.of(0x6a, 0xf6, 0x72, 0x67);
  const names = ['client 1', 'client_1', 'client+1', 'Jörg', '\ufeffJörg', '-x', 'a_b', textOfBytes(raw)];
  for (const [i, name] of names.entries()) {
    const bytes = name === names.at(-1) ? raw : Buffer.from(name);
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), bytes]), `push "echo ${i}"`);
  }
  const files = clientFiles({ clientConfigDir: dir, ccdExclusive: false });
  for (const [i, name] of names.entries()) {
    expect(await files.read(name)).toEqual({ label: `${dir}/${name}`, text: `push "echo ${i}"` });
  }
  // A slash can't be part of a file's name.
  expect((await files.read('a/b'))?.label).toBe(`${dir}/a_b`);
});

it('is DEFAULT for the others, unless each must have its own, and never lies elsewhere', async () => {
  writeFileSync(join(dir, 'DEFAULT'), 'disable');
  const files = clientFiles({ clientConfigDir: dir, ccdExclusive: false });
  const exclusive = clientFiles({ clientConfigDir: dir, ccdExclusive: true });
  for (const name of ['nobody', '.', '..', '', '../x']) {
    expect((await files.read(name))?.text, name).toBe('disable');
    expect(await exclusive.read(name), name).toBeUndefined();
  }
  expect(
    await clientFiles({ clientConfigDir: undefined, ccdExclusive: false }).read('nobody'),
  ).toBeUndefined();
});
