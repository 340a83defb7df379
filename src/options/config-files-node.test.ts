/** The node:fs backend: contents, errno texts, modes. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dirName, R_OK, W_OK, X_OK } from './config-files.ts';
import { createConfigFilesNode } from './config-files-node.ts';
import { parseArgv } from './parse.ts';

describe('createConfigFilesNode', () => {
  const files = createConfigFilesNode();
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'ovpn-options-'));
    mkdirSync(join(dir, 'ccd'));
    writeFileSync(join(dir, 'key'), 'secret', { mode: 0o640 });
    chmodSync(join(dir, 'key'), 0o640);
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('reads files, and directories as empty', () => {
    expect(files.readFile(join(dir, 'key'))).toEqual(Buffer.from('secret'));
    expect(files.readFile(join(dir, 'ccd'))).toHaveLength(0);
  });

  it("gives errno and the C library's text", () => {
    const missing = { errno: 2, text: 'No such file or directory' };
    expect(files.readFile(join(dir, 'none'))).toEqual(missing);
    expect(files.access(join(dir, 'none'), R_OK)).toEqual(missing);
    expect(files.stat(join(dir, 'none'))).toEqual(missing);
    expect(files.chdir(join(dir, 'none'))).toEqual(missing);
    expect(files.access(join(dir, 'key', 'x'), R_OK)).toEqual({ errno: 20, text: 'Not a directory' });
  });

  it('knows permissions', () => {
    expect(files.access(join(dir, 'key'), R_OK | W_OK)).toBeUndefined();
    expect(files.access(join(dir, 'key'), X_OK)).toEqual({ errno: 13, text: 'Permission denied' });
    expect(files.stat(join(dir, 'key'))).toEqual({ mode: 0o640 });
  });

  it('serves a whole configuration', () => {
    const conf = join(dir, 'c.conf');
    const key = join(dir, 'key');
    writeFileSync(conf, `client\ndev tun\nremote h\nca ${key}\ncert ${key}\nkey ${key}\ntmp-dir ${dir}\n`);
    const { options, messages } = parseArgv([conf], { files });
    expect(options.config).toBe(conf);
    expect(messages.map((line) => line.text)).toContain(
      `WARNING: file '${key}' is group or others accessible`,
    );
  });
});

describe('dirName', () => {
  it.each([
    ['a', '.'],
    ['a/b', 'a'],
    ['/a', '/'],
    ['/a//b/', '/a'],
    ['/', '/'],
    ['', '.'],
  ])('of %j is %j', (path, expected) => {
    expect(dirName(path)).toBe(expected);
  });
});
