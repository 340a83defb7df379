/** How idle the machine is, by the kernel's count of clock ticks (/proc/stat, proc(5)). */
import { readFileSync } from 'node:fs';

/**
 * A meter that says at each call which share of all processors' time since the call before, 0 to 1, nobody used. What
 * the host of a virtual machine took away (steal) was not idle. 0 where no tick has passed.
 */
export function createIdleMeter(read = () => readFileSync('/proc/stat', 'latin1')): () => number {
  let before = ticks(read());
  return () => {
    const now = ticks(read());
    const share = (now.idle - before.idle) / (now.all - before.all);
    before = now;
    return Number.isFinite(share) ? share : 0;
  };
}

function ticks(stat: string): { idle: number; all: number } {
  // user nice system idle iowait irq softirq steal; what follows is counted in the first two already.
  const counts = stat.split('\n', 1)[0]!.trim().split(/\s+/).slice(1, 9).map(Number);
  return { idle: counts[3]! + counts[4]!, all: counts.reduce((sum, count) => sum + count, 0) };
}
