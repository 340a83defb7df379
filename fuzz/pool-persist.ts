/** Fuzz entry: any bytes as an ifconfig-pool-persist file. What is kept is written and read back the same. */
import { formatPoolPersist, parsePoolPersist } from '../src/manage/manage.ts';

const SEEDS = ['alice,10.8.0.2,fd00::1000\nbob,10.8.0.3,\n', '# comment\r\n;x\ncarol,,fd00::5\n,1.2.3.4\n'];

export const target = {
  name: 'pool-persist',
  corpus: SEEDS.map((text) => Buffer.from(text)),
  run(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('utf8');
    const lines = parsePoolPersist(text);
    if (lines.length > text.length) throw new Error('more lines than characters');
    const entries = lines.flatMap(({ entry }) => (entry ? [entry] : []));
    const again = parsePoolPersist(formatPoolPersist(entries));
    const warning = again.flatMap(({ warnings }) => warnings)[0];
    if (warning !== undefined) throw new Error(`our own file brings warnings: ${warning}`);
    if (JSON.stringify(again.map(({ entry }) => entry)) !== JSON.stringify(entries))
      throw new Error('an entry changed');
  },
};
