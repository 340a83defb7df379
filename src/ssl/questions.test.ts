import { describe, expect, it } from 'vitest';
import type { KeyState } from './key-state.ts';
import { Questions } from './questions.ts';

const key = (dead = false): KeyState => ({ dead }) as unknown as KeyState;

describe('Questions', () => {
  it('are answered once, by their own number and about what was asked', () => {
    const questions = new Questions();
    const [first, second] = [key(), key()];
    const a = questions.ask({ about: 'certificate', key: first });
    const b = questions.ask({ about: 'login', key: second, credentials: undefined });
    expect(questions.take(a, 'login')).toBeUndefined();
    expect(questions.take(b + 1, 'login')).toBeUndefined();
    expect(questions.take(b, 'login')?.key).toBe(second);
    expect(questions.take(b, 'login')).toBeUndefined();
    expect(questions.take(a, 'certificate')?.key).toBe(first);
  });

  it('are void for a key that is gone', () => {
    const questions = new Questions();
    const gone = { dead: false };
    const id = questions.ask({ about: 'certificate', key: gone as unknown as KeyState });
    gone.dead = true;
    expect(questions.take(id, 'certificate')).toBeUndefined();
  });

  it('of dead keys are forgotten when the next one is asked', () => {
    const questions = new Questions();
    for (let i = 0; i < 1_000; i++) questions.ask({ about: 'certificate', key: key(true) });
    questions.ask({ about: 'login', key: key(), credentials: undefined });
    expect(questions.isOpen('certificate')).toBe(false);
    expect(questions.isOpen('login')).toBe(true);
  });

  it("zeroes a newcomer's key that was never judged", () => {
    const questions = new Questions();
    let zeroed = 0;
    const opened = { wrap: { destroy: () => zeroed++ }, metadata: new Uint8Array(0) };
    const newcomer = { opened, from: { family: 4, address: '192.0.2.1', port: 1 } };
    questions.ask({ about: 'client-key', newcomer } as never);
    questions.close();
    expect(zeroed).toBe(1);
    expect(questions.isOpen('client-key')).toBe(false);
  });
});
