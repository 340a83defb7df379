/** A transfer passes only when every byte arrives as it was sent, in both directions. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { serveTransfers, transferTo } from './transfer-peer.ts';

const HOST = '127.0.0.1';
const BYTES = 200_000;
let between: Server | undefined;
afterEach(() => {
  between?.close();
});

it('passes when all arrives', async () => {
  expect(await transferThrough((chunk) => chunk, 'both')).toBeGreaterThanOrEqual(0);
});

it.each([
  ['to', 'data to the server arrived damaged'],
  ['from', 'data from the server arrived damaged'],
] as const)('fails when one byte %s the server is another', async (way, why) => {
  let left = BYTES / 2;
  const damage = (chunk: Buffer) => {
    if (left >= 0 && left < chunk.length) chunk[left]! ^= 1;
    left -= chunk.length;
    return chunk;
  };
  await expect(transferThrough(damage, way)).rejects.toThrow(why);
});

it('fails when bytes are missing', async () => {
  let cut = false;
  const shorten = (chunk: Buffer) => {
    if (cut) return chunk;
    cut = true;
    return chunk.subarray(0, -1);
  };
  await expect(transferThrough(shorten, 'from')).rejects.toThrow();
});

/** A transfer by way of a relay that changes what passes in the directions of `way`. */
async function transferThrough(
  change: (chunk: Buffer) => Buffer,
  way: 'to' | 'from' | 'both',
): Promise<number> {
  const port = await serveTransfers(HOST, 0);
  const pass = (from: Socket, to: Socket, changes: boolean) => {
    from.on('data', (chunk) => to.write(changes ? change(chunk) : chunk));
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
  };
  between = createServer((client) => {
    const server = connect(port, HOST);
    pass(client, server, way !== 'from');
    pass(server, client, way !== 'to');
  });
  const relay = between;
  await new Promise<void>((resolve) => relay.listen(0, HOST, resolve));
  return transferTo(HOST, (relay.address() as AddressInfo).port, BYTES);
}
