import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { waitForText } from './written-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ovt-written-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

it('waits for a file that is made, empty and half written before it is whole', async () => {
  const path = join(dir, 'journal');
  let seen: string | undefined;
  const waiting = waitForText(path, /^from .*:\d+\n$/).then((text) => {
    seen = text;
  });
  for (const part of ['', 'from 10.99.', '0.2:11']) {
    if (part === '') writeFileSync(path, part);
    else appendFileSync(path, part);
    await new Promise((resolve) => setTimeout(resolve, 70));
    expect(seen).toBeUndefined();
  }
  appendFileSync(path, '94\n');
  await waiting;
  expect(seen).toBe('from 10.99.0.2:1194\n');
});

it('says what the file says, or that it is missing, at the time limit', async () => {
  writeFileSync(join(dir, 'half'), 'ha');
  await expect(waitForText(join(dir, 'half'), /half/, 60)).rejects.toThrow(/half says "ha", not \/half\/$/);
  await expect(waitForText(join(dir, 'none'), /x/, 60)).rejects.toThrow(/none is missing, not \/x\/$/);
});
