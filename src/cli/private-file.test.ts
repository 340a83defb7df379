/** Files with keys inside are never readable by others. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writePrivateFile } from './private-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ovpn-private-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

it('are 0600 whatever the file was before and the umask is, and nothing else is left', () => {
  const path = join(dir, 'a.ovpn');
  writeFileSync(path, 'old');
  chmodSync(path, 0o666);
  writePrivateFile(path, 'new');
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['new', 0o600]);
  writePrivateFile(join(dir, 'b.ovpn'), 'fresh');
  expect(statSync(join(dir, 'b.ovpn')).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir).sort()).toEqual(['a.ovpn', 'b.ovpn']);
});

it('are not the file that others have open already', () => {
  const path = join(dir, 'a.ovpn');
  writeFileSync(path, 'old');
  const { ino } = statSync(path);
  writePrivateFile(path, 'new');
  expect(statSync(path).ino).not.toBe(ino);
});

it('go where a symbolic link leads, which stays', () => {
  writeFileSync(join(dir, 'target'), 'old');
  symlinkSync(join(dir, 'target'), join(dir, 'link'));
  writePrivateFile(join(dir, 'link'), 'new');
  expect(readFileSync(join(dir, 'target'), 'utf8')).toBe('new');
  expect(lstatSync(join(dir, 'link')).isSymbolicLink()).toBe(true);
});

it('never take the place of a device or folder', () => {
  expect(() => writePrivateFile('/dev/null', 'x')).toThrow('/dev/null is not a regular file');
  expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
  expect(() => writePrivateFile(dir, 'x')).toThrow(/is not a regular file$/);
});

it('fail with the name that was asked for', () => {
  const path = join(dir, 'nowhere', 'a.ovpn');
  expect(() => writePrivateFile(path, 'x')).toThrow(expect.objectContaining({ code: 'ENOENT', path }));
  expect(existsSync(path)).toBe(false);
});
