/**
 * A small mutational fuzzer that needs nothing but Node: inputs start from a corpus (every byte string
 * and text of test-kit/vectors.json), are changed by a seeded generator and given to a target, which
 * throws when an invariant is broken. The same seed gives the same inputs. A failing input is made
 * shorter as long as it still fails.
 */
import { readFileSync } from 'node:fs';
import { createPrng } from '../test-kit/prng.ts';

/** What each file of this folder that tests something exports as `target`. */
export interface FuzzTarget {
  readonly name: string;
  /** Inputs that the common corpus lacks; half of all changed inputs start from them. */
  readonly corpus?: readonly Uint8Array[];
  /** Changed inputs in the short run of the tests, where the usual number takes too long. */
  readonly executions?: number;
  /** Throws when an invariant is broken; must be deterministic enough to fail again. */
  run(bytes: Uint8Array): void;
}

export interface FuzzLimits {
  readonly seed: number;
  /** Stop after so many executions or milliseconds, whichever comes first. */
  readonly executions?: number;
  readonly milliseconds?: number;
}

export interface FuzzResult {
  readonly executions: number;
  readonly failure: { readonly input: Uint8Array; readonly error: unknown } | undefined;
}

const MAX_INPUT_BYTES = 4096;
/** Executions between two looks at the clock. */
const CLOCK_STRIDE = 64;
const MOST_CHANGES = 6;
/** Values that parsers tend to treat specially. */
const EDGE_BYTES = [0x00, 0x01, 0x0a, 0x20, 0x2c, 0x2d, 0x7f, 0x80, 0xfe, 0xff];

/** Byte strings that peers really sent, texts, and a few trivial inputs. */
export function readCorpus(vectorsFile: string): Uint8Array[] {
  const corpus = [new Uint8Array(0), new Uint8Array(1), new Uint8Array(64).fill(0xff)];
  const visit = (value: unknown): void => {
    if (typeof value === 'string') {
      const isHex = value.length > 0 && value.length % 2 === 0 && /^[0-9a-f]+$/.test(value);
      const bytes = Buffer.from(value, isHex ? 'hex' : 'utf8');
      if (bytes.length <= MAX_INPUT_BYTES) corpus.push(bytes);
    } else if (typeof value === 'object' && value !== null) {
      for (const inner of Object.values(value)) visit(inner);
    }
  };
  visit(JSON.parse(readFileSync(vectorsFile, 'utf8')));
  return corpus;
}

/** Runs a target until a limit is reached or an input fails. The corpora themselves come first, unchanged. */
export function fuzz(target: FuzzTarget, corpus: readonly Uint8Array[], limits: FuzzLimits): FuzzResult {
  const random = createPrng(limits.seed);
  const own = target.corpus ?? corpus;
  const all = target.corpus ? [...target.corpus, ...corpus] : corpus;
  const most = limits.executions ?? Number.POSITIVE_INFINITY;
  const deadline = performance.now() + (limits.milliseconds ?? Number.POSITIVE_INFINITY);
  let executions = 0;
  while (executions < most) {
    if (executions % CLOCK_STRIDE === 0 && performance.now() >= deadline) break;
    const input = all[executions] ?? mutate(random() < 0.5 ? own : corpus, random);
    executions++;
    const error = attempt(target, input);
    if (error !== undefined) return { executions, failure: shorten(target, input, error) };
  }
  return { executions, failure: undefined };
}

/** The thrown value, or undefined. Targets get a copy: they may write into their input. */
function attempt(target: FuzzTarget, input: Uint8Array): unknown {
  try {
    target.run(Uint8Array.from(input));
    return undefined;
  } catch (error) {
    return error ?? new Error('the target threw nothing');
  }
}

function mutate(corpus: readonly Uint8Array[], random: () => number): Uint8Array {
  let input = pick(corpus, random);
  const changes = 1 + below(MOST_CHANGES, random);
  for (let i = 0; i < changes; i++) input = change(input, corpus, random);
  return input.length > MAX_INPUT_BYTES ? input.subarray(0, MAX_INPUT_BYTES) : input;
}

/** One change: flip a bit, set a byte, cut, repeat, insert, or splice with another input. */
function change(input: Uint8Array, corpus: readonly Uint8Array[], random: () => number): Uint8Array {
  const at = below(input.length + 1, random);
  const length = below(Math.min(32, input.length - at + 1), random);
  const out = Uint8Array.from(input);
  switch (below(7, random)) {
    case 0:
      if (at < out.length) out[at] = out[at]! ^ (1 << below(8, random));
      return out;
    case 1:
      if (at < out.length) out[at] = pick(EDGE_BYTES, random);
      return out;
    case 2:
      if (at < out.length) out[at] = below(256, random);
      return out;
    case 3:
      return join(input.subarray(0, at), input.subarray(at + length));
    case 4:
      return join(input.subarray(0, at + length), input.subarray(at));
    case 5:
      return join(input.subarray(0, at), Uint8Array.of(below(256, random)), input.subarray(at));
    default: {
      const other = pick(corpus, random);
      return join(input.subarray(0, at), other.subarray(below(other.length + 1, random)));
    }
  }
}

/** Leaves out ever smaller pieces while the target still fails. */
function shorten(target: FuzzTarget, input: Uint8Array, error: unknown) {
  let best = { input, error };
  for (let size = input.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= best.input.length; ) {
      const shorter = join(best.input.subarray(0, at), best.input.subarray(at + size));
      const again = attempt(target, shorter);
      if (again === undefined) at += size;
      else best = { input: shorter, error: again };
    }
  }
  return best;
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function pick<T>(list: readonly T[], random: () => number): T {
  return list[below(list.length, random)]!;
}

function below(limit: number, random: () => number): number {
  return Math.floor(random() * limit);
}
