/**
 * Deadlines of many instances behind one timer (2.x schedule.c): a binary heap by time. Each item
 * holds at most one deadline; moving it later is free (found out when it comes up), so that traffic
 * which only postpones a timeout costs nothing.
 */

export interface Scheduled {
  /** When the item wants handleTimeout(), absolute monotonic ms; Infinity = never. */
  deadlineMs: number;
  /** Place in the heap, owned by Schedule; -1 = not in it. */
  heapIndex: number;
  /** Key under which the item sits in the heap, owned by Schedule: <= deadlineMs. */
  heapMs: number;
}

export class Schedule<T extends Scheduled> {
  readonly #heap: T[] = [];

  /** Call after `item.deadlineMs` changed. Returns whether the earliest deadline may have moved forward. */
  update(item: T): boolean {
    if (item.heapIndex < 0) {
      if (item.deadlineMs === Number.POSITIVE_INFINITY) return false;
      item.heapIndex = this.#heap.length;
      item.heapMs = item.deadlineMs;
      this.#heap.push(item);
      this.#up(item.heapIndex);
      return item.heapIndex === 0;
    }
    if (item.deadlineMs >= item.heapMs) return false;
    item.heapMs = item.deadlineMs;
    this.#up(item.heapIndex);
    return item.heapIndex === 0;
  }

  remove(item: T): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.#heap.pop()!;
    if (last === item) return;
    this.#heap[index] = last;
    last.heapIndex = index;
    this.#up(index);
    this.#down(last.heapIndex);
  }

  /** The next item that is due at `nowMs`, taken out; undefined when none is. Items postponed meanwhile are put back. */
  takeDue(nowMs: number): T | undefined {
    for (let top = this.#heap[0]; top && top.heapMs <= nowMs; top = this.#heap[0]) {
      this.remove(top);
      if (top.deadlineMs <= nowMs) return top;
      this.update(top);
    }
    return undefined;
  }

  /** When takeDue() should be called next; undefined = nothing waits. Never later than the true deadline. */
  nextMs(): number | undefined {
    return this.#heap[0]?.heapMs;
  }

  #up(start: number): void {
    let index = start;
    const item = this.#heap[index]!;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#heap[parent]!.heapMs <= item.heapMs) break;
      this.#place(this.#heap[parent]!, index);
      index = parent;
    }
    this.#place(item, index);
  }

  #down(start: number): void {
    let index = start;
    const item = this.#heap[index]!;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && this.#heap[child + 1]!.heapMs < this.#heap[child]!.heapMs) child++;
      if (this.#heap[child]!.heapMs >= item.heapMs) break;
      this.#place(this.#heap[child]!, index);
      index = child;
    }
    this.#place(item, index);
  }

  #place(item: T, index: number): void {
    this.#heap[index] = item;
    item.heapIndex = index;
  }
}
