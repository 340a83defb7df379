/**
 * The boundary around entries: where a packet, a timer, a late answer or an event comes in, what is thrown is
 * a bug of ours. It ends the one peer that it happened with, is logged with its stack and counted; the others
 * go on.
 */
import { M_INFO, M_NONFATAL } from './errlevel.ts';
import type { Logger } from './log.ts';

/** Where the error came in. */
export type FaultEntry =
  | 'control packet'
  | 'stranger'
  | 'data'
  | 'device'
  | 'link'
  | 'timer'
  | 'TLS output'
  | 'answer'
  | 'hook'
  | 'end';

/** Stacks that are written out; of later faults only the message is, so that no peer can fill a disk with them. */
const STACKS_MAX = 20;
const STACK_LINES = 12;

export class Faults {
  readonly counts = new Map<FaultEntry, number>();
  readonly #log: Logger;
  #total = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  get total(): number {
    return this.#total;
  }

  /** Counts and logs; `log` is that of the peer where there is one. Never throws. */
  note(entry: FaultEntry, error: unknown, log: Logger = this.#log): void {
    this.#total++;
    this.counts.set(entry, (this.counts.get(entry) ?? 0) + 1);
    const [text = '', ...stack] = describe(error).split('\n');
    log.log(M_INFO | M_NONFATAL, `Internal error (${entry}, ${this.#total} so far): ${text}`);
    if (this.#total > STACKS_MAX) return;
    for (const line of stack.slice(0, STACK_LINES)) log.log(M_INFO | M_NONFATAL, line.trim());
  }
}

/** Message first, then the stack, also of what isn't an Error. */
function describe(error: unknown): string {
  if (error instanceof Error) return error.stack ?? `${error.name}: ${error.message}`;
  try {
    return String(error);
  } catch {
    return 'something that has no text';
  }
}
