/**
 * A UDP link through the relay of a SOCKS proxy (2.x socks_process_outgoing_udp(),
 * socks_process_incoming_udp()). Addresses in batches are the server's, as without a proxy: the 10-byte
 * header that carries them is written into the headroom and read off again here. The link ends with the
 * TCP connection that made the association.
 */
import { ADDRESS_WORDS, addressToWords, type LinkAddress, PacketBatch } from '../base/base.ts';
import type { ByteStream, Link } from './socket.ts';
import { readSocksUdpHead, writeSocksUdpHead } from './socks-message.ts';

/** Longest control packet, as 2.x's TLS_CHANNEL_BUF_SIZE. */
const MAX_CONTROL_BYTES = 2048;

export class SocksUdpLink implements Link {
  readonly transport = 'udp';
  readonly remote = undefined;
  readonly batchSize: number;
  readonly local: LinkAddress;
  onReadable: () => void = nothing;
  onWritable: () => void = nothing;
  onError: (error: NodeJS.ErrnoException) => void = nothing;
  onClose: (error: NodeJS.ErrnoException | undefined) => void = nothing;

  readonly #link: Link;
  readonly #control: ByteStream;
  readonly #relay: LinkAddress;
  readonly #relayWords = new Int32Array(ADDRESS_WORDS);
  readonly #single = new PacketBatch(1, MAX_CONTROL_BYTES);
  #dropped = 0;
  #closed = false;

  constructor(link: Link, control: ByteStream, relay: LinkAddress) {
    this.#link = link;
    this.#control = control;
    this.#relay = relay;
    this.batchSize = link.batchSize;
    this.local = link.local;
    addressToWords(relay, this.#relayWords, 0);
    link.onReadable = () => this.onReadable();
    link.onWritable = () => this.onWritable();
    link.onError = (error) => this.onError(error);
    void this.#watchControl();
  }

  get dropped(): number {
    return this.#link.dropped + this.#dropped;
  }

  recvBatch(batch: PacketBatch): number {
    const count = this.#link.recvBatch(batch);
    for (let slot = 0; slot < count; slot++) {
      if (readSocksUdpHead(batch, slot)) continue;
      batch.lengths[slot] = 0;
      this.#dropped++;
    }
    return count;
  }

  sendBatch(batch: PacketBatch, first: number, end: number): number {
    const { lengths, addresses } = batch;
    for (let slot = first; slot < end; slot++) {
      if (lengths[slot] === 0) continue;
      writeSocksUdpHead(batch, slot);
      addresses.set(this.#relayWords, slot * ADDRESS_WORDS);
    }
    const handled = this.#link.sendBatch(batch, first, end);
    // What was not taken is offered again, and then needs its header anew.
    for (let slot = first + handled; slot < end; slot++) {
      if (lengths[slot]! > 0) readSocksUdpHead(batch, slot);
    }
    return handled;
  }

  send(packet: Uint8Array, to: LinkAddress): boolean {
    const batch = this.#single;
    batch.clear();
    if (this.#closed || packet.length === 0 || to.family !== 4 || batch.push(packet) < 0) return false;
    addressToWords(to, batch.addresses, 0);
    writeSocksUdpHead(batch, 0);
    return this.#link.send(batch.packet(0), this.#relay);
  }

  close(): void {
    this.#closed = true;
    this.#link.close();
    this.#control.close();
  }

  /** The proxy has nothing more to say; when its connection ends, so does the relay. */
  async #watchControl(): Promise<void> {
    while ((await this.#control.read()) !== undefined);
    if (this.#closed) return;
    this.close();
    this.onClose(undefined);
  }
}

function nothing(): void {}
