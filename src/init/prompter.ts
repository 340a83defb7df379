/**
 * Questions that only somebody outside can answer (2.x console.h query_user, get_user_pass_cr() of misc.c): a
 * login, the password of a private key, the answer to a challenge. Who is asked is a provider's choice: the
 * program asks on the terminal, a library asks its caller or fails.
 *
 * A question lasts until it is answered or the next signal comes, whichever is first: the prompter is told by its
 * AbortSignal, and an answer that comes afterwards is dropped.
 */
import { errorMessage, OpenVpnError } from '../base/base.ts';
import { askOnTerminal } from './console.ts';
import type { SignalState } from './sig.ts';

/** What the answer is for; `Auth` is the server's login. */
export type QuestionKind = 'Auth' | 'Private Key' | 'HTTP Proxy' | 'SOCKS Proxy';

export interface Question {
  readonly kind: QuestionKind;
  /** `response` answers a challenge. */
  readonly field: 'username' | 'password' | 'response';
  /** What 2.x shows, e.g. `Enter Auth Username:`. */
  readonly text: string;
  /** Whether the answer may be seen while it is typed. */
  readonly echo: boolean;
  /** What the server or the configuration wants to be answered. */
  readonly challenge?: Challenge;
}

export interface Challenge {
  /** `static` is the configuration's, `dynamic` came with AUTH_FAILED. */
  readonly type: 'static' | 'dynamic';
  readonly text: string;
  /** Whose login it belongs to, as far as that is known. */
  readonly username: string;
}

/** Answers questions; one at a time. */
export interface Prompter {
  /** Resolves the answer; rejects when there is none. `signal` aborts when it is of no more use. */
  ask(question: Question, signal: AbortSignal): Promise<string>;
}

/** Asks one question. Rejects with QuestionEnded when a signal came first, else with OpenVpnError. */
export type AskQuestion = (question: Question) => Promise<string>;

/** A signal came before the answer; the attempt is over. */
export class QuestionEnded extends OpenVpnError {
  constructor() {
    super('a signal came before the question was answered', 'ERR_OVPN_ENDED');
  }
}

/** The person at the terminal. */
export const terminalPrompter: Prompter = {
  ask: ({ text, echo }, signal) => askOnTerminal(text, echo, signal),
};

/** Nobody: every question fails. */
export const noPrompter: Prompter = {
  ask: async ({ text }) => {
    throw new OpenVpnError(`can't ask for '${text}': there is no prompter`, 'ERR_OVPN_CREDENTIALS');
  },
};

/** Questions to `prompter` that end with the next signal. */
export function questionsTo(prompter: Prompter, signals: SignalState): AskQuestion {
  return async (question) => {
    if (signals.pending) throw new QuestionEnded();
    return signals.until(
      (signal) => answerTo(prompter, question, signal),
      () => new QuestionEnded(),
    );
  };
}

async function answerTo(prompter: Prompter, question: Question, signal: AbortSignal): Promise<string> {
  let answer: unknown;
  try {
    answer = await prompter.ask(question, signal);
  } catch (cause) {
    if (cause instanceof OpenVpnError) throw cause;
    const why = errorMessage(cause);
    throw new OpenVpnError(`can't ask for '${question.text}': ${why}`, 'ERR_OVPN_CREDENTIALS', { cause });
  }
  if (typeof answer === 'string') return answer;
  throw new OpenVpnError(`the answer to '${question.text}' is no text`, 'ERR_OVPN_CREDENTIALS');
}
