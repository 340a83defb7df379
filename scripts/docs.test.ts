/**
 * Documents name what exists: links and paths lead somewhere, `Class.method()` is a method of that class or
 * interface, `npm run NAME` is a script of package.json.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
/** Folders whose files may be named in backticks by their path from the root. */
const PATH = /^(?:src|native|bin|scripts|docs|bench|fuzz|examples|test-kit|compat-tests)\/[\w./-]*$/;
const TYPE = /(?:class|interface) (\w+)[^{]*\{([\s\S]*?)\n\}/g;

const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...markdownIn('docs')];

describe.each(documents)('%s', (name) => {
  const text = readFileSync(join(ROOT, name), 'utf8');

  it('links to files that exist', () => {
    const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target]) => target!);
    const local = targets.filter((target) => !/^[a-z]+:/.test(target));
    expect(local.filter((target) => !existsSync(join(ROOT, dirname(name), target)))).toEqual([]);
  });

  it('names paths that exist', () => {
    const paths = codeSpans(text).filter((span) => PATH.test(span));
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('names methods that exist', () => {
    const known = methods();
    const named = [...text.matchAll(/\b([A-Z]\w+)\.(\w+)\(\)/g)].map(
      ([, type, method]) => `${type}.${method}`,
    );
    expect(named.filter((method) => !known.has(method))).toEqual([]);
  });

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script!);
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });
});

function codeSpans(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!);
}

/** `Type.method` of all classes and interfaces of src/; private methods count without their #. */
function methods(): Set<string> {
  const found = new Set<string>();
  for (const path of filesIn('src', '.ts')) {
    for (const [, type, body] of readFileSync(path, 'utf8').matchAll(TYPE)) {
      for (const [, method] of body!.matchAll(/^ {2}(?:async |\*)?#?(\w+)(?:<[^>]*>)?\(/gm))
        found.add(`${type}.${method}`);
    }
  }
  return found;
}

function markdownIn(folder: string): string[] {
  return filesIn(folder, '.md').map((path) => relative(ROOT, path));
}

function filesIn(folder: string, ending: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(ROOT, folder, name));
}
