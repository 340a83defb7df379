/**
 * Scratch folders of tests, named after the process that made them (ovt-<pid>-...), removed when it ends.
 * What a killed process left is removed by the next run.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, onProcessEnd } from './process.ts';

const NAME = /^ovt-(\d+)-/;
const live = new Set<string>();

/** Makes a fresh folder and returns its path. */
export function createTemporaryFolder(what: string): string {
  onProcessEnd(removeAll);
  const path = mkdtempSync(join(tmpdir(), `ovt-${process.pid}-${what}-`));
  live.add(path);
  return path;
}

export function removeTemporaryFolder(path: string): void {
  if (live.delete(path)) rmSync(path, { recursive: true, force: true });
}

/** Removes folders whose making process is dead. */
export function sweepTemporaryFolders(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(NAME.exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function removeAll(): void {
  for (const path of live) removeTemporaryFolder(path);
}
