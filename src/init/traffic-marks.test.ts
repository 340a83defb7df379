/** The characters of verb 5, on a network and a device in memory. */
import { describe, expect, it } from 'vitest';
import { MemoryInternet } from '../../test-kit/memory-sockets.ts';
import { addressToWords, type LinkAddress, PacketBatch } from '../base/base.ts';
import type { TunDevice } from '../tun/tun.ts';
import { createTunMemory } from '../tun/tun-memory.ts';
import type { Providers } from './init.ts';
import { markTraffic } from './traffic-marks.ts';

describe('markTraffic', () => {
  it('writes one character for each packet that passes', async () => {
    const { marked, written, internet, system } = setUp();
    const far = await internet.host('192.0.2.2').openUdp({ family: 4, localPort: 1194 });
    const link = await marked.socket.openUdp({ family: 4, localPort: 1195 });
    link.send(Buffer.from('one'), far.local);
    link.sendBatch(batchTo(far.local, 3), 0, 3);
    expect(written.splice(0)).toEqual(['W', 'WW']);
    far.sendBatch(batchTo(link.local, 3), 0, 3);
    internet.run(10);
    const received = new PacketBatch(8);
    expect([link.recvBatch(received), link.recvBatch(received)]).toEqual([2, 0]);
    expect(written.splice(0)).toEqual(['RR']);

    const device = marked.tun.open({ dev: 'tun', type: 'tun' });
    device.writeBatch(batchTo(far.local, 3), 0, 3);
    system().writeBatch(batchTo(far.local, 3), 0, 3);
    expect([device.readBatch(received), device.readBatch(received)]).toEqual([2, 0]);
    expect(written.splice(0)).toEqual(['ww', 'rr']);
  });

  it('follows TCP connections that are made and accepted', async () => {
    const { marked, written, internet } = setUp();
    const listener = await marked.socket.listenTcp({ family: 4, localPort: 1194 });
    const accepted = new Promise<void>((resolve) => {
      listener.onConnection = (link) => {
        link.send(Buffer.from('hello'), link.remote!);
        resolve();
      };
    });
    const client = internet.host('192.0.2.2').connectTcp({ remote: listener.local, timeoutMs: 1_000 });
    internet.run(10);
    await Promise.all([client, accepted]);
    expect(written).toEqual(['W']);
    listener.close();
  });
});

function setUp() {
  const internet = new MemoryInternet();
  const written: string[] = [];
  let system: TunDevice | undefined;
  const tun = createTunMemory((end) => {
    system = end;
  });
  const providers = { tun, socket: internet.host('192.0.2.1') } as unknown as Providers;
  const marked = markTraffic(providers, (text) => written.push(text));
  return { marked, written, internet, system: () => system! };
}

/** As many slots, one of them dropped already. */
function batchTo(to: LinkAddress, slots: number): PacketBatch {
  const batch = new PacketBatch(slots);
  for (let slot = 0; slot < slots; slot++) {
    batch.push(Buffer.from([0x45, slot]));
    addressToWords(to, batch.addresses, slot);
  }
  batch.lengths[1] = 0;
  return batch;
}
