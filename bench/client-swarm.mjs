/**
 * Many clients in one process, one after the other: each connects, says how long it took ("up NUMBER MS"), and stays.
 * Ends with its standard input.
 *
 *   node bench/client-swarm.mjs CONFIG COUNT
 */
import { readFileSync } from 'node:fs';
import { createClient, parseConfig } from '../dist/index.js';

const [, , file, count] = process.argv;
const config = parseConfig(readFileSync(file, 'utf8'));
const say = (line) => process.stdout.write(`${line}\n`);

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

for (let number = 1; number <= Number(count); number++) {
  const startedMs = performance.now();
  const client = createClient(config);
  await client.start();
  say(`up ${number} ${(performance.now() - startedMs).toFixed(2)}`);
}
