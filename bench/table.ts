/** Lines of Markdown tables. */

export function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** The line below the head. */
export function rule(columns: number): string {
  return row(Array.from({ length: columns }, () => '---'));
}
