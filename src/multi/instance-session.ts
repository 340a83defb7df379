/**
 * What a server keeps for one TLS session of a client: its environment, tokens, push state and the scripts
 * that judge it. A client that starts over on the same address has another session; what was begun for the
 * earlier one ends with it, so that nothing of it reaches a peer whose login is still undecided
 * (the weakness of CVE-2020-15078).
 */
import { PushResponder } from '../push/push.ts';
import type { EnvSet } from '../script/script.ts';

/** Tokens of one session: the one it has, and the first of its login, whose session all later ones continue. */
export interface ClientTokens {
  current: string | undefined;
  initial: string | undefined;
  /** The name that tokens are made for. */
  username: string;
}

export class InstanceSession {
  /** Number of the TLS session (TlsEvent). */
  readonly id: number;
  /** What scripts hear of this session's peer. */
  readonly env: EnvSet;
  readonly tokens: ClientTokens = { current: undefined, initial: undefined, username: '' };
  readonly responder = new PushResponder();
  #abort: AbortController | undefined;
  #over = false;
  /** The client was asked a question that it hasn't answered. */
  #challenged = false;
  /** The script that hears the answer runs. */
  #answering = false;

  constructor(id: number, env: EnvSet) {
    this.id = id;
    this.env = env;
  }

  /** Whether another session took its place, or the client is gone. */
  get over(): boolean {
    return this.#over;
  }

  /** Stops scripts that judge this session or set it up. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#over) this.#abort.abort();
    return this.#abort.signal;
  }

  end(): void {
    this.#over = true;
    this.#abort?.abort();
    this.#challenged = false;
  }

  /** The client was asked a question (AUTH_PENDING), or its login is decided. */
  setChallenge(open: boolean): void {
    this.#challenged = open;
  }

  /** The client answers. False when nothing was asked, or an earlier answer is still being heard. */
  takeResponse(): boolean {
    if (!this.#challenged || this.#answering) return false;
    this.#challenged = false;
    this.#answering = true;
    return true;
  }

  handleResponseHeard(): void {
    this.#answering = false;
  }
}
