/**
 * Where a peer is. One object says so, for the control channel that learns it and for the data path that sends
 * there: what one of them finds out holds for the other at once.
 */
import { ADDRESS_WORDS, addressToWords, type LinkAddress, sameAddressWords } from './address.ts';

export class PeerAddress {
  /** The same for comparing and filling in slots; zero as long as nobody has shown up. */
  readonly words: Int32Array = new Int32Array(ADDRESS_WORDS);
  #current: LinkAddress | undefined;

  constructor(address?: LinkAddress) {
    if (address) this.moveTo(address);
  }

  /** Undefined until somebody has shown up. */
  get current(): LinkAddress | undefined {
    return this.#current;
  }

  moveTo(address: LinkAddress): void {
    this.#current = address;
    addressToWords(address, this.words, 0);
  }

  /** Whether the packet of a slot comes from there. */
  isAt(addresses: Int32Array, slot: number): boolean {
    return sameAddressWords(this.words, 0, addresses, slot);
  }
}
