/**
 * Byte and drop counters (2.x struct context_2 *_bytes, and drops that 2.x only logs). Counts of one
 * batch are gathered in a scratch object and added to the peer's and the server's counters at its end.
 */
import type { LinkCounters } from './forward.ts';

/** All zero. */
export function newLinkCounters(): LinkCounters {
  return {
    tunReadBytes: 0,
    tunWriteBytes: 0,
    linkReadBytes: 0,
    linkWriteBytes: 0,
    authReadBytes: 0,
    linkReadPackets: 0,
    linkWritePackets: 0,
    dropNoKey: 0,
    dropAuth: 0,
    dropShort: 0,
    dropReplay: 0,
    dropNotIp: 0,
    dropIdsUsedUp: 0,
    dropFrame: 0,
  };
}

/** Adds `from` to `to`. */
export function addCounters(to: LinkCounters, from: LinkCounters): void {
  to.tunReadBytes += from.tunReadBytes;
  to.tunWriteBytes += from.tunWriteBytes;
  to.linkReadBytes += from.linkReadBytes;
  to.linkWriteBytes += from.linkWriteBytes;
  to.authReadBytes += from.authReadBytes;
  to.linkReadPackets += from.linkReadPackets;
  to.linkWritePackets += from.linkWritePackets;
  to.dropNoKey += from.dropNoKey;
  to.dropAuth += from.dropAuth;
  to.dropShort += from.dropShort;
  to.dropReplay += from.dropReplay;
  to.dropNotIp += from.dropNotIp;
  to.dropIdsUsedUp += from.dropIdsUsedUp;
  to.dropFrame += from.dropFrame;
}

/** Sets all to zero. */
export function clearCounters(counters: LinkCounters): void {
  counters.tunReadBytes = 0;
  counters.tunWriteBytes = 0;
  counters.linkReadBytes = 0;
  counters.linkWriteBytes = 0;
  counters.authReadBytes = 0;
  counters.linkReadPackets = 0;
  counters.linkWritePackets = 0;
  counters.dropNoKey = 0;
  counters.dropAuth = 0;
  counters.dropShort = 0;
  counters.dropReplay = 0;
  counters.dropNotIp = 0;
  counters.dropIdsUsedUp = 0;
  counters.dropFrame = 0;
}
