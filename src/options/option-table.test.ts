/** Every row of test-kit/options.tsv holds in the table, and the parser acts on it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OptionsError } from '../base/base.ts';
import { findOption, OPTION_ROWS } from './option-table.ts';
import { parseArgv } from './parse.ts';

interface Fact {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly contexts: string;
  readonly importance: string;
}

const FACTS: readonly Fact[] = readFileSync(new URL('../../test-kit/options.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('option\t'))
  .map((line) => {
    const fields = line.split('\t');
    return {
      name: fields[0]!,
      min: Number(fields[1] || 0),
      max: Number.parseInt(fields[2] || '15', 10),
      contexts: fields[4]!,
      importance: fields[10]!,
    };
  });

function errorOf(argv: string[]): string {
  try {
    parseArgv(argv);
    return 'none';
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    return error.message;
  }
}

const values = (count: number): string[] => Array.from({ length: count }, () => '1');
const unrecognized = (name: string): string =>
  `Unrecognized option or missing or extra parameter(s) in [CMD-LINE]:1: ${name} (2.6.14)`;

describe('option table', () => {
  it('has exactly the rows of the reference', () => {
    expect(OPTION_ROWS.map((row) => row.name).sort()).toEqual(FACTS.map((fact) => fact.name).sort());
  });

  it.each(FACTS)('$name: arity and contexts', ({ name, min, max, contexts }) => {
    expect(findOption(name)).toMatchObject({ min, max, contexts });
  });

  it('gives every option that is accepted an action and every refused class its state', () => {
    for (const { name, importance } of FACTS) {
      const { supported, apply } = findOption(name)!;
      if (supported === 'yes' || supported === 'ignored') expect(apply, name).toBeDefined();
      if (importance === 'reject') expect(supported, name).toBe('rejected');
      if (importance === 'accept') expect(['ignored', 'yes'], name).toContain(supported);
    }
  });
});

describe('parser over the table', () => {
  it.each(FACTS.filter(({ min, contexts }) => min > 0 && contexts !== '-'))(
    '$name refuses one value too few',
    ({ name, min }) => {
      const expected =
        name === 'auth-user-pass-verify'
          ? "--auth-user-pass-verify requires a second parameter ('via-env' or 'via-file')"
          : unrecognized(name);
      expect(errorOf([`--${name}`, ...values(min - 1)])).toBe(expected);
    },
  );

  it.each(FACTS.filter(({ max, contexts }) => max < 15 && contexts !== '-'))(
    '$name refuses one value too many',
    ({ name, max }) => {
      const message = errorOf([`--${name}`, ...values(max + 1)]);
      const hint = findOption(name)?.quoteHint;
      if (hint) expect(message).toContain(`the --${name} directive should have at most ${max} parameter`);
      else expect(message).toBe(unrecognized(name));
    },
  );

  it.each(FACTS.filter(({ contexts }) => contexts === '-'))('$name is gone', ({ name }) => {
    expect(errorOf([`--${name}`])).toBe(unrecognized(name));
  });

  it.each(FACTS.filter(({ contexts }) => !/[GN-]/.test(contexts)))(
    '$name has no place in a main configuration',
    ({ name, min }) => {
      expect(errorOf([`--${name}`, ...values(min)])).toBe(
        `option '${name}' cannot be used in this context ([CMD-LINE])`,
      );
    },
  );

  it.each(OPTION_ROWS.filter(({ supported, contexts }) => supported === 'not-yet' && /[GN]/.test(contexts)))(
    '$name says that it is not supported yet',
    ({ name, min }) => {
      expect(errorOf([`--${name}`, ...values(min)])).toBe(`--${name} is not supported by openvpn-ts yet`);
    },
  );
});
