/**
 * What a control channel has asked and others answer later: scripts, logins. An answer names its question; one that
 * comes too late, for a key that is gone, finds none.
 */
import type { KeyState } from './key-state.ts';
import type { Newcomer } from './packet-intake.ts';
import type { Credentials } from './ssl.ts';

export type Question =
  | { readonly about: 'client-key'; readonly newcomer: Newcomer }
  | { readonly about: 'certificate'; readonly key: KeyState }
  | { readonly about: 'login'; readonly key: KeyState; readonly credentials: Credentials | undefined };

type QuestionAbout<A extends Question['about']> = Extract<Question, { readonly about: A }>;

export class Questions {
  readonly #open = new Map<number, Question>();
  #nextId = 1;

  /** The number that the answer has to name. */
  ask(question: Question): number {
    for (const [id, other] of this.#open) if (isVoid(other)) this.#open.delete(id);
    const id = this.#nextId++;
    this.#open.set(id, question);
    return id;
  }

  /** The question that is answered now, once; undefined when nobody waits for this answer any more. */
  take<A extends Question['about']>(id: number, about: A): QuestionAbout<A> | undefined {
    const question = this.#open.get(id);
    if (question?.about !== about) return undefined;
    this.#open.delete(id);
    return isVoid(question) ? undefined : (question as QuestionAbout<A>);
  }

  isOpen(about: Question['about']): boolean {
    for (const question of this.#open.values()) if (question.about === about) return true;
    return false;
  }

  /** Nothing is answered any more; keys of newcomers are zeroed. */
  close(): void {
    for (const question of this.#open.values())
      if (question.about === 'client-key') question.newcomer.opened.wrap.destroy();
    this.#open.clear();
  }
}

function isVoid(question: Question): boolean {
  return question.about !== 'client-key' && question.key.dead;
}
