/**
 * Turns Node's address strings into address words and back, remembering recent answers: node:dgram
 * speaks strings on every packet, the data path speaks words (base/address.ts). IPv6 scopes are names
 * in Node (`fe80::1%eth0`) and numbers in words.
 */
import { networkInterfaces } from 'node:os';
import { ADDRESS_WORDS, type AddressFamily, addressFromWords, addressToWords } from '../base/base.ts';

/** Answers kept in each direction; all are forgotten when there are more. */
const MAX_ENTRIES = 4096;

export class AddressCache {
  readonly #words = new Map<string, Int32Array>();
  readonly #hosts = new Map<number | string, string>();

  /** Writes a source address as node:dgram tells it into slot `slot` of `addresses`. */
  toWords(host: string, family: AddressFamily, port: number, addresses: Int32Array, slot: number): void {
    let words = this.#words.get(host);
    if (words === undefined) {
      words = hostToWords(host, family);
      if (this.#words.size >= MAX_ENTRIES) this.#words.clear();
      this.#words.set(host, words);
    }
    const base = slot * ADDRESS_WORDS;
    addresses.set(words, base);
    addresses[base + 1] = port;
  }

  /** The host string to send to for slot `slot`; the port is word 1. */
  toHost(addresses: Int32Array, slot: number): string {
    const base = slot * ADDRESS_WORDS;
    const key =
      addresses[base] === 6
        ? `${addresses[base + 2]}.${addresses[base + 3]}.${addresses[base + 4]}.${addresses[base + 5]}.${addresses[base + 6]}`
        : addresses[base + 2]!;
    let host = this.#hosts.get(key);
    if (host === undefined) {
      const { address, scopeId } = addressFromWords(addresses, slot);
      host = scopeId === undefined ? address : `${address}%${scopeName(scopeId)}`;
      if (this.#hosts.size >= MAX_ENTRIES) this.#hosts.clear();
      this.#hosts.set(key, host);
    }
    return host;
  }
}

/** Splits `fe80::1%eth0` into the address and its numeric scope (0 without one). */
export function splitScope(host: string): { address: string; scopeId: number } {
  const percent = host.indexOf('%');
  if (percent < 0) return { address: host, scopeId: 0 };
  return { address: host.slice(0, percent), scopeId: scopeNumber(host.slice(percent + 1)) };
}

function hostToWords(host: string, family: AddressFamily): Int32Array {
  const words = new Int32Array(ADDRESS_WORDS);
  const { address, scopeId } = splitScope(host);
  addressToWords({ family, address, port: 0, scopeId }, words, 0);
  return words;
}

function scopeNumber(name: string): number {
  for (const info of networkInterfaces()[name] ?? []) {
    if (info.family === 'IPv6' && info.scopeid) return info.scopeid;
  }
  return /^\d+$/.test(name) ? Number(name) : 0;
}

function scopeName(scopeId: number): string {
  for (const [name, infos] of Object.entries(networkInterfaces())) {
    if (infos?.some((info) => info.family === 'IPv6' && info.scopeid === scopeId)) return name;
  }
  return String(scopeId);
}
