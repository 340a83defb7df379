/** The addon in worker threads: as many at once as like, each gone with all that it had when its thread ends. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { openDescriptors } from '../../test-kit/descriptors.ts';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { TestPki } from '../../test-kit/tls-pki.ts';
import { PacketBatch } from '../base/base.ts';

const SCRIPT = resolve('test-kit/addon-worker.mjs');
const FILE = resolve(process.env.OPENVPN_TS_ADDON || 'build/Release/openvpn_native.node');
const ENDINGS = ['close', 'exit', 'terminate'] as const;
const ROUNDS = 4;
const LIMIT_MS = 120_000;

const addon = addonForTests();
const pki = new TestPki();
const { cert, key } = pki.issue({ subject: '/CN=server', extensions: ['extendedKeyUsage=serverAuth'] });
afterAll(() => pki.close());

describe('the addon in worker threads', () => {
  it(
    'serves several at once, and the main thread beside them, however they end',
    async () => {
      const own = openDescriptors(/^socket:/);
      const seal = sealing();
      const round = () => Promise.all([...ENDINGS, ...ENDINGS].map((ending) => runWorker(ending)));
      for (let i = 0; i < ROUNDS; i++) {
        const workers = round();
        let ended = false;
        const end = () => {
          ended = true;
        };
        void workers.then(end, end);
        while (!ended) {
          seal();
          await new Promise((next) => setImmediate(next));
        }
        await workers;
      }
      expect(openDescriptors(/^socket:/)).toBe(own);
    },
    LIMIT_MS,
  );

  it.each(ENDINGS)(
    'stays loaded where workers alone use it, one after the other (%s)',
    async (ending) => {
      const data = JSON.stringify({ addon: FILE, ending, cert, key });
      const run = promisify(execFile)(process.execPath, [SCRIPT, data, '6'], { timeout: LIMIT_MS });
      expect((await run).stdout).toBe('the addon is still loaded\n');
    },
    LIMIT_MS,
  );
});

/** Resolves when the worker is gone. */
async function runWorker(ending: (typeof ENDINGS)[number]): Promise<void> {
  const worker = new Worker(SCRIPT, { workerData: { addon: FILE, ending, cert, key } });
  const said: unknown[] = [];
  worker.on('message', (word: unknown) => {
    said.push(word);
    if (ending === 'terminate') void worker.terminate();
  });
  // Rejects with what the worker threw.
  await once(worker, 'exit');
  expect(said).toEqual(['done']);
}

/** Seals a batch at each call, with one key of this thread. */
function sealing(): () => void {
  const sealer = new addon.AeadSealer('AES-256-GCM', new Uint8Array(32), new Uint8Array(8), 0, 1, 1);
  return () => {
    const batch = new PacketBatch(4);
    for (let i = 0; i < 4; i++) batch.push(new Uint8Array(500).fill(i));
    const { slab, slotSize, offsets, lengths } = batch;
    expect(sealer.sealBatch(slab, slotSize, offsets, lengths, 0, 4)).toBe(4);
  };
}
