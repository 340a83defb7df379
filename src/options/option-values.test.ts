/**
 * Values below, within and above the range of every option that takes a number, and no numbers at all: taken or
 * refused, in the very words of 2.6.14 (test-kit/option-values.tsv).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError } from './config-error.ts';
import { parseConfig } from './parse.ts';

const BASE: Readonly<Record<string, string>> = {
  c: 'client\ndev tun\nproto udp\nremote 10.255.1.1 1194\nnobind\nca f\ncert f\nkey f\nremote-cert-tls server\n',
  ct: 'client\ndev tun\nproto tcp\nremote 10.255.1.1 1194\nnobind\nca f\ncert f\nkey f\nremote-cert-tls server\n',
  s: 'server 10.8.0.0 255.255.255.0\ntopology subnet\ndev tun\nproto udp\nport 1194\nca f\ncert f\nkey f\ndh none\nkeepalive 10 60\ndata-ciphers-fallback AES-256-CBC\n',
  p: 'dev tun\nproto udp\nremote 10.255.1.1 1194\nifconfig 10.9.0.1 10.9.0.2\nsecret f\ncipher AES-256-CBC\n',
};

/** Where 2.6.14 does what it doesn't mean to; here the value is refused, or the other way round. */
const OTHERWISE: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^(link|udp)-mtu (?!99999999999|1500)/, 'its check that these are too small compares unsigned numbers'],
  [/^keepalive 99999999999 60/, 'twice the first value is beyond an int'],
  [/^compat-mode 2\.(-1|4294967297|2147483648)\.0/, 'such a minor version wraps around'],
];

const rows = readFileSync(new URL('../../test-kit/option-values.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .slice(1)
  .map((line) => line.split('\t') as [mode: string, option: string, refusal: string, values: string]);

describe('values of options', () => {
  it('are many', () => {
    expect(rows.length).toBeGreaterThan(250);
  });

  for (const [mode, option, refusal, values] of rows) {
    it(`${mode}: ${option} ${values} ${refusal === '' ? 'is taken' : 'is refused'}`, () => {
      for (const value of values.split(' | ')) {
        const line = `${option} ${value}`;
        const said = refusalOf(BASE[mode]!, line);
        const otherwise = OTHERWISE.find(([pattern]) => pattern.test(line));
        if (otherwise) expect(said, `${line}: ${otherwise[1]}`).not.toBe(refusal);
        else expect({ line, said }).toEqual({ line, said: refusal });
      }
    });
  }
});

/** What 2.x prints behind `Options error: `, lines joined; '' when the line is taken. */
function refusalOf(base: string, line: string): string {
  const text = `${base}${line}\n`;
  try {
    parseConfig(text, { fileName: 'c.conf' });
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.message.trimEnd();
    throw error;
  }
}
