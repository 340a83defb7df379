/**
 * Files that another program writes while a test looks: they may not be there yet, be empty, or hold the first half.
 * A test says what makes the text whole and waits for it.
 */
import { readFileSync } from 'node:fs';
import { patient, sleep } from './process.ts';

/** Looks again and again until the file's text is `whole`, and gives it. Rejects with the last text at the time limit. */
export async function waitForText(path: string, whole: RegExp, timeoutMs = 10_000): Promise<string> {
  const endMs = Date.now() + patient(timeoutMs);
  for (;;) {
    const text = textOf(path);
    if (text !== undefined && whole.test(text)) return text;
    if (Date.now() >= endMs) {
      const found = text === undefined ? 'is missing' : `says ${JSON.stringify(text)}`;
      throw new Error(`${path} ${found}, not ${whole}`);
    }
    await sleep(50);
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
