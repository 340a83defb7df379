/** ScriptRunner that runs nothing: it notes each call and answers what the test decides, maybe later. */
import type { ScriptResult, ScriptRunner } from '../src/script/script.ts';

export interface ScriptCall {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export class RecordedScripts implements ScriptRunner {
  readonly name = 'recorded';
  readonly calls: ScriptCall[] = [];
  /** An exit status, or one that comes later. 0 by default. */
  answer: (call: ScriptCall) => number | Promise<number> = () => 0;

  async run(command: string, args: readonly string[], env: Record<string, string>): Promise<ScriptResult> {
    const call = { command, args, env };
    this.calls.push(call);
    return { status: await this.answer(call) };
  }

  /** `script_type` and positional words of each call. */
  get lines(): string[] {
    return this.calls.map(({ args, env }) => [env.script_type, ...args].join(' '));
  }

  ofType(type: string): ScriptCall[] {
    return this.calls.filter(({ env }) => env.script_type === type);
  }
}

/** A promise with its resolver, for answers that come when the test says so. */
export function later<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
