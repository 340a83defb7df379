/** Markdown tables, and the cells that compare two rows of runs. */
import { median } from './setting.ts';

/** A title, the head and the rows below it. */
export function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map(() => '---');
  return [title, '', ...[head, rule, ...rows].map(line)].join('\n');
}

/** Heads of what ratioCells() gives. */
export function ratioHead(unit: string): string[] {
  return [`peer ${unit}`, `ours ${unit}`, 'ratio', 'pair by pair'];
}

/** Of pairs of peer and ours: both medians, the median of the ratios, and each ratio. */
export function ratioCells<R>(
  pairs: readonly (readonly [R, R])[],
  value: (run: R) => number,
  digits: number,
): string[] {
  const [peer, ours] = [pairs.map(([run]) => value(run)), pairs.map(([, run]) => value(run))];
  const ratios = ours.map((each, i) => each / peer[i]!);
  return [
    median(peer).toFixed(digits),
    median(ours).toFixed(digits),
    `**${median(ratios).toFixed(2)}**`,
    ratios.map((ratio) => ratio.toFixed(2)).join(' '),
  ];
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
