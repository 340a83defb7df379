/** What is said about the own certificate and key when they are read. */
import { afterAll, describe, expect, it } from 'vitest';
import { FFDHE2048, TestPki } from '../../test-kit/tls-pki.ts';
import { MemoryLogger } from '../base/base.ts';
import { parseConfig } from '../options/options.ts';
import { Passphrase } from './passphrase.ts';
import { createProviders } from './providers.ts';
import { loadTlsMaterials } from './tls-materials.ts';

const pki = new TestPki();
afterAll(() => pki.close());
const good = pki.issue({ subject: '/CN=good' });
const expired = pki.issue({ subject: '/CN=old', expired: true });
const block = (name: string, text: string): string => `<${name}>\n${text}</${name}>\n`;

function linesOf({ cert, key }: { cert: string; key: string }, wallMs = Date.now(), more = '') {
  const text = `tls-server\ndev null\ndh none\n${block('ca', pki.ca.cert)}${block('cert', cert)}${block('key', key)}${more}`;
  const { options } = parseConfig(text);
  const log = new MemoryLogger(3);
  const clock = { nowMs: () => 0, wallMs: () => wallMs };
  loadTlsMaterials(options, createProviders({ log }, { clock }), undefined).close();
  return log.lines;
}

describe('the own certificate', () => {
  it('is told about once it has expired or while it is not valid yet', () => {
    expect(linesOf(good)).toEqual([]);
    expect(linesOf(expired)).toEqual(['WARNING: Your certificate has expired!']);
    expect(linesOf(good, Date.now() - 86_400_000)).toEqual(['WARNING: Your certificate is not yet valid!']);
  });
});

describe('Diffie-Hellman parameters', () => {
  it('are told by their size', () => {
    expect(linesOf(good, undefined, block('dh', FFDHE2048))).toEqual([
      'Diffie-Hellman initialized with 2048 bit key',
    ]);
  });
});

describe('a password that is kept', () => {
  it.each([
    ['', 1],
    ['auth-nocache\n', 0],
  ])('is warned about once, unless it is not: %j', async (lines, count) => {
    const { options } = parseConfig(`dev null\naskpass stdin\n${lines}`);
    const log = new MemoryLogger();
    const passphrase = new Passphrase(async () => 'secret');
    for (let i = 0; i < 2; i++) expect(await passphrase.take(options, log)).toBe('secret');
    expect(log.lines.filter((line) => line.includes('may cache passwords'))).toHaveLength(count);
  });
});
