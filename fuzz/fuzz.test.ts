/** A short run of every fuzz entry, and of the fuzzer itself. */
import { describe, expect, it } from 'vitest';
import { fuzz, readCorpus } from './engine.ts';
import { listTargets, loadTarget } from './targets.ts';

/** Changed inputs per entry, after the corpus itself. */
const EXECUTIONS = 3000;
const SEED = 20261123;
/** Enough for the slowest entry on a busy machine. */
const LIMIT_MS = 90_000;
const corpus = readCorpus('test-kit/vectors.json');

describe('fuzz entries', () => {
  it('include those of keys, streams and data packets', () => {
    expect(listTargets()).toEqual(expect.arrayContaining(['static-key', 'tcp-frames', 'data-packet']));
  });

  for (const name of listTargets()) {
    it(`${name} holds for real packets and inputs made from them`, { timeout: LIMIT_MS }, async () => {
      const target = await loadTarget(name);
      const { failure } = fuzz(target, corpus, {
        seed: SEED,
        executions: corpus.length + (target.executions ?? EXECUTIONS),
      });
      const input = failure && Buffer.from(failure.input).toString('hex');
      expect({ error: failure?.error, input }).toEqual({ error: undefined, input: undefined });
    });
  }
});

describe('fuzzer', () => {
  const noticesX = {
    name: 'x',
    run: (bytes: Uint8Array) => {
      if (bytes.includes(0x78)) throw new Error('x');
    },
  };

  it('finds a failure and shortens its input', () => {
    const { failure } = fuzz(noticesX, [new Uint8Array(100)], { seed: 1, executions: 100_000 });
    expect([...failure!.input]).toEqual([0x78]);
  });

  it('repeats a run from its seed', () => {
    const inputs = (seed: number): string[] => {
      const seen: string[] = [];
      const run = (bytes: Uint8Array) => seen.push(Buffer.from(bytes).toString('hex'));
      fuzz({ name: 'all', run }, corpus, { seed, executions: corpus.length + 50 });
      return seen;
    };
    expect(inputs(3)).toEqual(inputs(3));
    expect(inputs(3)).not.toEqual(inputs(4));
  });
});
