/** Markdown tables. */

/** A title, the head and the rows below it. */
export function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map(() => '---');
  return [title, '', ...[head, rule, ...rows].map(line)].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
