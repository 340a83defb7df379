/** Files that options of a client name. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../options/options.ts';
import { readClientOptions } from './client-options.ts';

const SERVER = 'dev tun\nserver 10.8.0.0 255.255.255.0\nca f\ncert f\nkey f\ndh none\n';

describe('options of a client', () => {
  it('go on in the files that they name, where they name them', async () => {
    const { result, asked } = await read('config a\nping 9\n', {
      a: 'ping 3\nconfig b\npush "route 10.1.0.0"\n',
      b: 'push "route 10.2.0.0"\n',
    });
    expect(result.messages).toEqual([]);
    expect(result.options.ping).toBe(9);
    expect(result.options.push).toEqual(['route 10.2.0.0', 'route 10.1.0.0']);
    expect(asked).toEqual(['a', 'b']);
  });

  it('tell of files that are not there, and go on', async () => {
    const { result } = await read('config a\nconfig constructor\nping 9\n', {});
    expect(result.options.ping).toBe(9);
    expect(result.messages.map(({ text }) => text)).toEqual([
      'Options error: In ccd/c:1: Error opening configuration file: a',
      'Options error: In ccd/c:2: Error opening configuration file: constructor',
    ]);
  });

  it('end where files name each other without end', async () => {
    const { result, asked } = await read('config a\n', { a: 'config b\n', b: 'config a\n' });
    expect(asked).toEqual(['a', 'b']);
    expect(result.messages).toHaveLength(1);
    expect(result.messages[0]?.text).toMatch(/Maximum recursive include levels exceeded/);
  });
});

async function read(text: string, files: Readonly<Record<string, string>>) {
  const asked: string[] = [];
  const base = parseConfig(SERVER).options;
  base.push = [];
  const result = await readClientOptions(text, 'ccd/c', base, {
    include: async (path) => {
      asked.push(path);
      return Object.hasOwn(files, path) ? files[path] : undefined;
    },
  });
  return { result, asked };
}
