/** Clients, frames and a learner for the tests of routing: what a MultiInstance has, without a connection. */
import { type Logger, MemoryLogger, PacketBatch } from '../src/base/base.ts';
import { AddressLearner, type LearnerConfig } from '../src/multi/learn.ts';
import { VirtualTable } from '../src/multi/mroute.ts';
import type { MultiIoDrops, RoutedClient } from '../src/multi/router.ts';
import { EnvSet, ScriptHooks } from '../src/script/script.ts';

export interface TestClient extends RoutedClient {
  open: boolean;
  readonly log: Logger;
  readonly options: { maxRoutesPerClient: number; vlanPvid: number; iroutes: []; iroutesIpv6: [] };
}

/** A script call that waits for its answer. */
export interface Call {
  readonly args: readonly string[];
  answer(ok: boolean): Promise<void>;
}

export class RoutingBed {
  readonly log = new MemoryLogger(4);
  readonly routes = new VirtualTable<TestClient>();
  readonly drops: MultiIoDrops = { badSource: 0, unknownDestination: 0, saturation: 0, badFrame: 0 };
  readonly calls: Call[] = [];
  readonly learner: AddressLearner<TestClient>;
  nowMs = 1_000;

  constructor(parts: { script?: boolean } & Partial<LearnerConfig<TestClient>> = {}) {
    const { script = false, ...config } = parts;
    const hooks = new ScriptHooks({
      runner: {
        name: 'test',
        run: (_command, args) =>
          new Promise((resolve) => {
            const answer = async (ok: boolean): Promise<void> => {
              resolve({ status: ok ? 0 : 1 });
              await settle();
            };
            this.calls.push({ args, answer });
          }),
      },
      log: this.log,
      scriptSecurity: 2,
      tmpDir: '/nonexistent',
      commands: script ? { learnAddress: '/bin/learn' } : {},
    });
    this.learner = new AddressLearner({
      routes: this.routes,
      hooks,
      log: this.log,
      staleRoutesCheck: undefined,
      local: undefined,
      onFault: (error) => {
        throw error;
      },
      nowMs: () => this.nowMs,
      ...config,
    });
  }

  client(name: string, options: Partial<TestClient['options']> = {}): TestClient {
    return {
      open: true,
      commonName: name,
      prefix: `${name}/192.0.2.1:1`,
      log: this.log,
      env: new EnvSet(),
      options: { maxRoutesPerClient: 256, vlanPvid: 1, iroutes: [], iroutesIpv6: [], ...options },
    };
  }
}

/** Lets promises that are already answered run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

/** `02:00:00:00:00:0N`, or broadcast for 255. */
export function mac(n: number): number[] {
  return n === 255 ? [255, 255, 255, 255, 255, 255] : [2, 0, 0, 0, 0, n];
}

/** An Ethernet frame; `tag` is the 16-bit tag control information. */
export function frame(to: number, from: number, tag?: number): Uint8Array {
  const header = [...mac(to), ...mac(from)];
  const vlan = tag === undefined ? [] : [0x81, 0x00, tag >>> 8, tag & 0xff];
  return Uint8Array.from([...header, ...vlan, 0x08, 0x06, 1, 2, 3, 4]);
}

/** A batch with one packet in slot 0. */
export function batchOf(packet: Uint8Array): PacketBatch {
  const batch = new PacketBatch(1);
  batch.push(packet);
  return batch;
}
