/**
 * The lowest number that nobody has: a client's peer-id, its address in a pool (2.x multi_assign_peer_id(),
 * ifconfig_pool_find()). What lies below the last one found isn't looked at again until something there is released.
 */
export class LowestFree {
  #first = 0;

  find(taken: (number: number) => boolean): number {
    while (taken(this.#first)) this.#first++;
    return this.#first;
  }

  release(number: number): void {
    if (number < this.#first) this.#first = number;
  }
}
