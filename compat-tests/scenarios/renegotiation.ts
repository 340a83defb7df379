/** Renegotiation every 10 s under traffic: no ping may be lost and no transferred byte damaged. */
import { sleep } from '../../test-kit/process.ts';
import { type Bed, check, type Role } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const RENEG_SEC = 10;
const WATCH_SEC = 24;
const PING_INTERVAL_SEC = 0.02;
const BLOCK_BYTES = 32_768;
const PAUSE_MS = 50;

/** On a TCP link that is full all the time. */
const FULL_RENEG_SEC = 4;
const FULL_WATCH_SEC = 15;
const FULL_BLOCK_BYTES = 32 << 20;

export const renegotiation: readonly Scenario[] = [
  ...(['client', 'server'] as const).flatMap((initiator) =>
    (['1.2', '1.3'] as const).map((tls) => ({
      name: `renegotiation every ${RENEG_SEC} s by the ${initiator} under traffic, TLS ${tls}`,
      tunnel: { tls },
      timeoutMs: 90_000,
      run: (bed: Bed) => underTraffic(bed, initiator),
    })),
  ),
  {
    name: `renegotiation every ${FULL_RENEG_SEC} s over TCP, whose queues are full`,
    tunnel: { proto: 'tcp' },
    timeoutMs: 90_000,
    run: overFullTcp,
  },
];

async function underTraffic(bed: Bed, initiator: Role): Promise<void> {
  const lines = (role: Role) => [`reneg-sec ${role === initiator ? RENEG_SEC : 0}`];
  const server = await bed.startServer(lines('server'));
  const client = await bed.startClient(lines('client'));
  const pingCount = Math.round(WATCH_SEC / PING_INTERVAL_SEC);
  let watching = true;
  const pings = bed
    .checkPing(INNER_SERVER4, { count: pingCount, intervalSec: PING_INTERVAL_SEC })
    .finally(() => {
      watching = false;
    });
  const transfers = async () => {
    // Paced: a tunnel filled to the brim drops pings in its queues, which is no fault of the renegotiation.
    for (; watching; await sleep(PAUSE_MS)) await bed.checkTransfer(INNER_SERVER4, BLOCK_BYTES);
  };
  await Promise.all([pings, transfers()]);
  const program = initiator === 'client' ? client : server;
  const resets = program.count(/TLS: soft reset/);
  check(resets >= 2, `${program.name}: ${resets} renegotiations in ${WATCH_SEC} s${bed.tails()}`);
  for (const end of [server, client]) {
    const handshakes = end.count(/Control Channel: TLSv/);
    check(handshakes > 2, `${end.name}: ${handshakes} finished handshakes in ${WATCH_SEC} s${bed.tails()}`);
  }
}

async function overFullTcp(bed: Bed): Promise<void> {
  const server = await bed.startServer(['reneg-sec 0']);
  const client = await bed.startClient([`reneg-sec ${FULL_RENEG_SEC}`]);
  const endMs = Date.now() + FULL_WATCH_SEC * 1_000;
  while (Date.now() < endMs) await bed.checkTransfer(INNER_SERVER4, FULL_BLOCK_BYTES);
  const resets = client.count(/TLS: soft reset/);
  check(resets >= 3, `${resets} renegotiations in ${FULL_WATCH_SEC} s${bed.tails()}`);
  // The last one may be under way, the first handshake wasn't a reset's.
  for (const end of [server, client]) {
    const handshakes = end.count(/Control Channel: TLSv/);
    check(handshakes >= resets, `${end.name}: ${handshakes} handshakes for ${resets} resets${bed.tails()}`);
  }
}
