/** The stateless handshake packet by packet, for tests: each goes into a slot of its own, as a link would leave it there. */
import { addressToWords, type LinkAddress, PacketBatch } from '../src/base/base.ts';
import {
  CookieHandshake,
  type CookieHandshakeOptions,
  type CookieVerdict,
} from '../src/reliable/reliable.ts';

const MAX_BYTES = 65_535;

export class FirstPackets {
  readonly cookies: CookieHandshake;
  readonly #batch = new PacketBatch(1, MAX_BYTES);

  constructor(options: CookieHandshakeOptions) {
    this.cookies = new CookieHandshake(options);
  }

  /** As a server does it: what is let in gets a session. */
  handle(packet: Uint8Array, from: LinkAddress, wallSec: number, nowMs: number): CookieVerdict {
    const verdict = this.judge(packet, from, wallSec, nowMs);
    if (verdict.type === 'established' || verdict.type === 'unproven') this.cookies.confirm();
    return verdict;
  }

  /** The verdict alone. */
  judge(packet: Uint8Array, from: LinkAddress, wallSec: number, nowMs: number): CookieVerdict {
    this.#batch.clear();
    const slot = this.#batch.push(packet);
    addressToWords(from, this.#batch.addresses, slot);
    return this.cookies.handle(this.#batch, slot, wallSec, nowMs);
  }
}
