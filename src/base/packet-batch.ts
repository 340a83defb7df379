/**
 * A batch of packets in one slab (2.x buffer.h, struct frame of mtu.h). Slot i owns
 * slab[i*slotSize .. (i+1)*slotSize); its packet lies at offsets[i], lengths[i] bytes long, so
 * headers are added and removed by moving the offset, never by copying:
 *
 *   | headroom (PACKET_HEADROOM) | packet ................ | tailroom |
 *   ^ i*slotSize                 ^ offsets[i]              ^ offsets[i]+lengths[i]
 *
 * A length of 0 means "dropped": later stages pass over the slot.
 */
import { ADDRESS_WORDS } from './address.ts';

/** Bytes kept free before a packet: socks 10 + tcp 2 + opcode 4 + pid 8 + HMAC 64 + IV 16 + fragment 4 + comp 2, rounded up. */
export const PACKET_HEADROOM = 128;
/** Bytes kept free behind a packet: one cipher block of padding and an epoch tag, rounded up. */
export const PACKET_TAILROOM = 64;

export class PacketBatch {
  readonly capacity: number;
  readonly slotSize: number;
  readonly slab: Buffer;
  /** Absolute position in `slab` of each packet's first byte. */
  readonly offsets: Int32Array;
  readonly lengths: Int32Array;
  /** Result of the last stage per packet: 0 is good, else the stage's drop code. */
  readonly status: Int32Array;
  /** --passtos: type of service that the packet inside asks for, -1 for none; written by seal(). */
  readonly tos: Int16Array;
  /** Packet id read by the last openBatch(). */
  readonly packetIds: Uint32Array;
  /** Upper half of ids with 64 bits: the sender's Unix time, or epoch and top of the counter. */
  readonly packetTimes: Uint32Array;
  /** ADDRESS_WORDS words a packet: source after receive, destination before send. See address.ts. */
  readonly addresses: Int32Array;
  /** Packets in use: slots 0 .. count-1. */
  count = 0;

  constructor(capacity: number, maxPacketBytes = 1600) {
    this.capacity = capacity;
    this.slotSize = (PACKET_HEADROOM + maxPacketBytes + PACKET_TAILROOM + 63) & ~63;
    this.slab = Buffer.alloc(capacity * this.slotSize);
    this.offsets = new Int32Array(capacity);
    this.lengths = new Int32Array(capacity);
    this.status = new Int32Array(capacity);
    this.tos = new Int16Array(capacity).fill(-1);
    this.packetIds = new Uint32Array(capacity);
    this.packetTimes = new Uint32Array(capacity);
    this.addresses = new Int32Array(capacity * ADDRESS_WORDS);
  }

  /** Most bytes a packet may have in a slot whose packet starts right behind the headroom. */
  get maxPacketBytes(): number {
    return this.slotSize - PACKET_HEADROOM - PACKET_TAILROOM;
  }

  /** Empties the batch; slots keep their bytes. */
  clear(): void {
    this.count = 0;
  }

  /**
   * Copies `packet` into the next free slot behind the headroom. Returns the slot, or -1 when the
   * batch is full or the packet too long. For packets that come one by one.
   */
  push(packet: Uint8Array): number {
    if (this.count >= this.capacity || packet.length > this.maxPacketBytes) return -1;
    const slot = this.count++;
    const offset = slot * this.slotSize + PACKET_HEADROOM;
    this.slab.set(packet, offset);
    this.offsets[slot] = offset;
    this.lengths[slot] = packet.length;
    this.status[slot] = 0;
    return slot;
  }

  /** As push(), from `length` bytes of `source` at `start`, without making a view of them. */
  pushBytes(source: Buffer, start: number, length: number): number {
    if (this.count >= this.capacity || length > this.maxPacketBytes) return -1;
    const slot = this.count++;
    const offset = slot * this.slotSize + PACKET_HEADROOM;
    source.copy(this.slab, offset, start, start + length);
    this.offsets[slot] = offset;
    this.lengths[slot] = length;
    this.status[slot] = 0;
    return slot;
  }

  /** A view of packet `slot`; valid until the slot is written again. Allocates: not for the bulk path. */
  packet(slot: number): Buffer {
    const offset = this.offsets[slot]!;
    return this.slab.subarray(offset, offset + this.lengths[slot]!);
  }

  /** Slots first..end-1 go to, or come from, the address in `words`. */
  setAddress(words: Int32Array, first: number, end: number): void {
    const { addresses } = this;
    for (let slot = first; slot < end; slot++) {
      const base = slot * ADDRESS_WORDS;
      for (let w = 0; w < ADDRESS_WORDS; w++) addresses[base + w] = words[w]!;
    }
  }

  /** Copies packet `slot` of `from`, with its address, into the next free slot. Returns the slot or -1. */
  pushFrom(from: PacketBatch, slot: number): number {
    const length = from.lengths[slot]!;
    if (this.count >= this.capacity || length > this.maxPacketBytes) return -1;
    const own = this.count++;
    const offset = own * this.slotSize + PACKET_HEADROOM;
    from.slab.copy(this.slab, offset, from.offsets[slot]!, from.offsets[slot]! + length);
    this.offsets[own] = offset;
    this.lengths[own] = length;
    this.status[own] = 0;
    const words = ADDRESS_WORDS;
    for (let w = 0; w < words; w++) this.addresses[own * words + w] = from.addresses[slot * words + w]!;
    return own;
  }
}
