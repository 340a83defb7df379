/**
 * Programs whose arguments or variables have bytes that aren't UTF-8, as 2.x hands them on (execve() takes any). Node
 * gives its children UTF-8 only, so those go by way of a shell that spells such bytes out and becomes the program.
 */
import { bytesOfText, hasOtherBytes } from '../base/base.ts';

export interface Start {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What to start instead; the same where Node can do it. */
export function startable(start: Start): Start {
  const { path, args } = start;
  const raw = Object.entries(start.env).filter(([, value]) => hasOtherBytes(value));
  if (raw.length === 0 && ![path, ...args].some(hasOtherBytes)) return start;
  const env = Object.fromEntries(Object.entries(start.env).filter(([, value]) => !hasOtherBytes(value)));
  const lines = [
    // The shell's own: the program gets our variables and no others.
    'unset PWD OLDPWD SHLVL',
    ...raw.map(([name, value]) => `export ${name}=${spelled(value)}`),
    `exec ${[path, ...args].map(spelled).join(' ')}`,
  ];
  return { path: '/bin/sh', args: ['-c', lines.join('\n')], env };
}

/** A word of the shell's, each byte as three octal digits. */
function spelled(text: string): string {
  const octal = Array.from(bytesOfText(text), (byte) => `\\${byte.toString(8).padStart(3, '0')}`);
  return `"$(printf '${octal.join('')}')"`;
}
