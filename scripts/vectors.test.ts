/**
 * Every known answer of test-kit/vectors.json is used by a test: each group, and each part of a group that isn't a
 * note. Looks at the sources of the tests that read the file, without their comments.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
/** How vectors came to be and were checked. */
const NOTES = new Set(['how', 'checked', 'note', 'key_ref', 'hmac_input']);
/** Groups that aren't vectors. */
const PROSE: Readonly<Record<string, string>> = {
  meta: 'what the file is',
  server_role: 'a list of peers that were served; the compat tests serve them',
};
/** Parts of groups that no test can use. */
const OTHERS: Readonly<Record<string, string>> = {
  'retransmit/times_v3': 'the schedule of another program',
};

const vectors: Record<string, unknown> = JSON.parse(
  readFileSync(join(root, 'test-kit/vectors.json'), 'utf8'),
);
const tests = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(test|conformance)\.ts$/.test(file))
  .map((file) => readFileSync(join(root, 'src', file), 'utf8'))
  .filter((text) => text.includes('vectors.json'))
  .map(withoutComments);

describe('test-kit/vectors.json', () => {
  const groups = Object.keys(vectors).filter((group) => !(group in PROSE));

  it.each(groups)('%s is used by a test, with all its parts', (group) => {
    const users = tests.filter((text) => takes(text, group));
    expect(users, `no test takes ${group}`).not.toEqual([]);
    const unused = partsOf(group).filter((part) => !users.some((text) => takes(text, part)));
    expect(unused, `no test takes these parts of ${group}`).toEqual([]);
  });
});

/** The names below a group that is no list. */
function partsOf(group: string): string[] {
  const value = vectors[group];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.keys(value).filter((part) => !NOTES.has(part) && !(`${group}/${part}` in OTHERS));
}

/** Whether the text reads a property of that name: `x.name`, `x['name']`, `{ name } = x`. */
function takes(text: string, name: string): boolean {
  const word = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const taken = new RegExp(`\\.${word}\\b|\\['${word}'\\]|\\{[^{}]*\\b${word}\\b[^{}]*\\}(: [^=]+)? =`);
  return taken.test(text) || new RegExp(`'${word}'`).test(text);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
}
