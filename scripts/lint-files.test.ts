/** The rule that nothing unchecked is installed. */
import { describe, expect, it } from 'vitest';
import { lockProblems, rules } from './lint-files.mjs';

const integrity = `sha512-${'A'.repeat(86)}==`;

describe('the lock file', () => {
  it('of this repository has a hash for every package', () => {
    expect(rules.lockFile()).toEqual([]);
  });

  it('is refused where a hash is missing or weak, or an address is there', () => {
    const packages = {
      '': { name: 'own' },
      'node_modules/good': { version: '1.0.0', integrity },
      'node_modules/good/node_modules/bundled': { version: '1.0.0', inBundle: true },
      'node_modules/bare': { version: '1.0.0' },
      'node_modules/weak': { version: '1.0.0', integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' },
      'node_modules/placed': { version: '1.0.0', integrity, resolved: 'https://packages.example/placed.tgz' },
    };
    expect(lockProblems({ packages })).toEqual([
      'package-lock.json: node_modules/bare has no SHA-512 integrity',
      'package-lock.json: node_modules/weak has no SHA-512 integrity',
      'package-lock.json: node_modules/placed has an address (resolved)',
    ]);
  });
});
