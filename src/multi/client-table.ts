/**
 * The clients of a server, by peer-id and by address (2.x the hash tables and the instances array of multi.c). A link
 * has its own addresses; a TCP link has one.
 */
import { ADDRESS_WORDS, AddressMap, addressToWords, type LinkAddress } from '../base/base.ts';
import type { Link } from '../socket/socket.ts';
import { LowestFree } from './lowest-free.ts';
import type { BoundLink } from './multi.ts';
import type { MultiInstance } from './multi-instance.ts';

export class ClientTable {
  readonly #byPeerId: (MultiInstance | undefined)[] = [];
  readonly #peerIds = new LowestFree();
  readonly #byAddress = new Map<Link, AddressMap<MultiInstance>>();
  readonly #hashSeed: number;
  readonly #words = new Int32Array(ADDRESS_WORDS);
  #count = 0;

  /** `seed`: 4 random bytes, so that nobody can choose addresses that collide. */
  constructor(seed: Uint8Array) {
    this.#hashSeed = new DataView(seed.buffer, seed.byteOffset).getInt32(0);
  }

  get count(): number {
    return this.#count;
  }

  *[Symbol.iterator](): Iterator<MultiInstance> {
    for (const instance of this.#byPeerId) if (instance) yield instance;
  }

  addLink(link: Link): void {
    this.#byAddress.set(link, new AddressMap(this.#hashSeed));
  }

  removeLink(link: Link): void {
    this.#byAddress.delete(link);
  }

  /** The lowest one that nobody has. */
  freePeerId(): number {
    return this.#peerIds.find((id) => this.#byPeerId[id] !== undefined);
  }

  add(instance: MultiInstance): void {
    this.#byPeerId[instance.peerId] = instance;
    this.#noteAddress(instance);
    this.#count++;
  }

  remove(instance: MultiInstance): void {
    this.#byPeerId[instance.peerId] = undefined;
    this.#peerIds.release(instance.peerId);
    this.#forgetAddress(instance);
    this.#count--;
  }

  /** The client's packets come from there from here on. */
  move(instance: MultiInstance, bound: BoundLink, remote: LinkAddress): void {
    this.#forgetAddress(instance);
    instance.moveTo(bound, remote);
    this.#noteAddress(instance);
  }

  byPeerId(peerId: number): MultiInstance | undefined {
    return this.#byPeerId[peerId];
  }

  /** The client that owns the source address in `words[slot]` on this link. */
  byWords(link: Link, words: Int32Array, slot: number): MultiInstance | undefined {
    return this.#byAddress.get(link)?.get(words, slot);
  }

  byAddress(link: Link, address: LinkAddress): MultiInstance | undefined {
    addressToWords(address, this.#words, 0);
    return this.byWords(link, this.#words, 0);
  }

  #noteAddress(instance: MultiInstance): void {
    this.#byAddress.get(instance.bound.link)!.set(instance.remoteWords, 0, instance);
  }

  #forgetAddress(instance: MultiInstance): void {
    const map = this.#byAddress.get(instance.bound.link);
    if (map?.get(instance.remoteWords, 0) === instance) map.delete(instance.remoteWords, 0);
  }
}
