/**
 * Messages to and from the kernel's routing socket (rtnetlink(7); what 2.x networking_sitnl.c asks for).
 * All numbers are in the machine's byte order, addresses in network order; everything is padded to 4 bytes.
 *
 *   nlmsghdr   length(4) type(2) flags(2) seq(4) port(4)
 *   ifinfomsg  family(1) pad(1) type(2) index(4) flags(4) change(4)
 *   ifaddrmsg  family(1) prefix(1) flags(1) scope(1) index(4)
 *   rtmsg      family(1) dst_len(1) src_len(1) tos(1) table(1) protocol(1) scope(1) type(1) flags(4)
 *   rtattr     length(2) type(2) payload
 *
 * Readers trust no length: what doesn't fit ends the reading as 'malformed'.
 */
import { endianness } from 'node:os';

const LE = endianness() === 'LE';

const NLM_F_REQUEST = 0x001;
const NLM_F_ACK = 0x004;
const NLM_F_REPLACE = 0x100;
const NLM_F_CREATE = 0x400;
const NLM_F_DUMP = 0x300;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_NEWLINK = 16;
const RTM_GETROUTE = 26;

const AF_INET = 2;
const AF_INET6 = 10;
const AF_PACKET = 17;

const IFF_UP = 1;
const IFLA_ADDRESS = 1;
const IFLA_MTU = 4;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_F_NODAD = 0x02;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_TABLE = 15;

const RT_TABLE_MAIN = 254;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;

const HEADER_SIZE = 16;
const RTMSG_SIZE = 12;
/** Room for the longest request below. */
const MAX_REQUEST = 256;

/** One request being written; `bytes()` is valid until the next one is begun. */
export class RtnetlinkWriter {
  readonly #bytes = new Uint8Array(MAX_REQUEST);
  readonly #view = new DataView(this.#bytes.buffer);
  #end = 0;

  /** Sets MTU, hardware address or whether the interface is up. */
  link(index: number, change: { mtu?: number; address?: Uint8Array; up?: boolean }): Uint8Array {
    this.#begin(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
    this.#byte(AF_PACKET);
    this.#byte(0);
    this.#end += 2;
    this.#word(index);
    this.#word(change.up ? IFF_UP : 0);
    this.#word(change.up === undefined ? 0 : IFF_UP);
    if (change.mtu !== undefined) this.#number(IFLA_MTU, change.mtu);
    if (change.address !== undefined) this.#attribute(IFLA_ADDRESS, change.address);
    return this.#finish();
  }

  /** Adds or deletes an address: `local` with `prefix`, or a pair of `local` and `peer`. */
  address(
    type: typeof RTM_NEWADDR | typeof RTM_DELADDR,
    index: number,
    address: { local: Uint8Array; peer?: Uint8Array; prefix: number; noDad?: boolean },
  ): Uint8Array {
    const { local, peer, prefix, noDad } = address;
    const flags = type === RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0;
    this.#begin(type, NLM_F_REQUEST | NLM_F_ACK | flags);
    this.#byte(familyOf(local));
    this.#byte(prefix);
    this.#byte(noDad ? IFA_F_NODAD : 0);
    this.#byte(RT_SCOPE_UNIVERSE);
    this.#word(index);
    if (peer !== undefined) this.#attribute(IFA_ADDRESS, peer);
    this.#attribute(IFA_LOCAL, local);
    if (local.length === 4 && peer === undefined && prefix <= 30) {
      this.#attribute(IFA_BROADCAST, broadcastOf(local, prefix));
    }
    return this.#finish();
  }

  /** Adds or deletes a route. A gateway of zeros is none, but is asked for all the same, as 2.x does. */
  route(
    type: typeof RTM_NEWROUTE | typeof RTM_DELROUTE,
    route: {
      network: Uint8Array;
      prefix: number;
      gateway?: Uint8Array;
      index: number;
      table: number;
      metric: number;
    },
  ): Uint8Array {
    const { network, prefix, gateway, index, metric } = route;
    const adding = type === RTM_NEWROUTE;
    const table = route.table === 0 ? RT_TABLE_MAIN : route.table;
    const onLink = gateway === undefined && index > 0;
    const scope = adding ? (onLink ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE) : RT_SCOPE_NOWHERE;
    this.#begin(type, NLM_F_REQUEST | NLM_F_ACK | (adding ? NLM_F_CREATE : 0));
    this.#routeHeader(familyOf(network), prefix, table, adding ? RTPROT_BOOT : 0, scope, adding);
    if (table > 255) this.#number(RTA_TABLE, table);
    this.#attribute(RTA_DST, network);
    if (gateway !== undefined) this.#attribute(RTA_GATEWAY, gateway);
    if (index > 0) this.#number(RTA_OIF, index);
    if (metric > 0) this.#number(RTA_PRIORITY, metric);
    return this.#finish();
  }

  /** Asks for the route to `target`, or with `dump` for all routes of its family. */
  routeQuery(target: Uint8Array, dump: boolean): Uint8Array {
    this.#begin(RTM_GETROUTE, NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0));
    this.#routeHeader(familyOf(target), dump ? 0 : target.length * 8, 0, 0, 0, false);
    this.#attribute(RTA_DST, target);
    return this.#finish();
  }

  #routeHeader(
    family: number,
    prefix: number,
    table: number,
    protocol: number,
    scope: number,
    unicast: boolean,
  ): void {
    this.#byte(family);
    this.#byte(prefix);
    this.#byte(0);
    this.#byte(0);
    this.#byte(table > 255 ? 0 : table);
    this.#byte(protocol);
    this.#byte(scope);
    this.#byte(unicast ? RTN_UNICAST : 0);
    this.#word(0);
  }

  #begin(type: number, flags: number): void {
    this.#bytes.fill(0);
    this.#view.setUint16(4, type, LE);
    this.#view.setUint16(6, flags, LE);
    this.#end = HEADER_SIZE;
  }

  #byte(value: number): void {
    this.#bytes[this.#end++] = value;
  }

  #word(value: number): void {
    this.#view.setUint32(this.#end, value, LE);
    this.#end += 4;
  }

  #number(type: number, value: number): void {
    this.#attributeHeader(type, 4);
    this.#word(value);
  }

  #attribute(type: number, payload: Uint8Array): void {
    this.#attributeHeader(type, payload.length);
    this.#bytes.set(payload, this.#end);
    this.#end += align(payload.length);
  }

  #attributeHeader(type: number, size: number): void {
    this.#view.setUint16(this.#end, 4 + size, LE);
    this.#view.setUint16(this.#end + 2, type, LE);
    this.#end += 4;
  }

  #finish(): Uint8Array {
    this.#view.setUint32(0, this.#end, LE);
    return this.#bytes.subarray(0, this.#end);
  }
}

/** One message of an answer. `refused` holds a positive errno. */
export type RtnetlinkReply =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly errno: number }
  | { readonly kind: 'route'; readonly route: KernelRoute }
  | { readonly kind: 'other' }
  | { readonly kind: 'malformed' };

/** What a look-up of the way out needs of a route. */
export interface KernelRoute {
  readonly prefix: number;
  readonly table: number;
  /** 0 when the route names no interface: it leads nowhere, or has several next hops. */
  readonly index: number;
  readonly gateway: Uint8Array | undefined;
}

const DONE = { kind: 'done' } as const;
const OTHER = { kind: 'other' } as const;
const MALFORMED = { kind: 'malformed' } as const;

/** The messages of one datagram in their order; ends behind one that is malformed. An acknowledgement is 'done'. */
export function* readReplies(datagram: Uint8Array): Generator<RtnetlinkReply> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  for (let at = 0; at < datagram.length; ) {
    if (datagram.length - at < HEADER_SIZE) return yield MALFORMED;
    const length = view.getUint32(at, LE);
    if (length < HEADER_SIZE || length > datagram.length - at) return yield MALFORMED;
    const reply = readReply(view.getUint16(at + 4, LE), datagram.subarray(at + HEADER_SIZE, at + length));
    yield reply;
    if (reply === MALFORMED) return;
    at += align(length);
  }
}

function readReply(type: number, body: Uint8Array): RtnetlinkReply {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (type === NLMSG_DONE) return DONE;
  if (type === NLMSG_ERROR) {
    if (body.length < 4) return MALFORMED;
    const error = view.getInt32(0, LE);
    return error === 0 ? DONE : { kind: 'refused', errno: Math.abs(error) };
  }
  if (type !== RTM_NEWROUTE) return OTHER;
  const route = readRoute(body, view);
  return route === undefined ? MALFORMED : { kind: 'route', route };
}

function readRoute(body: Uint8Array, view: DataView): KernelRoute | undefined {
  if (body.length < RTMSG_SIZE) return undefined;
  let table = body[4]!;
  let index = 0;
  let gateway: Uint8Array | undefined;
  for (let at = RTMSG_SIZE; at + 4 <= body.length; ) {
    const length = view.getUint16(at, LE);
    if (length < 4 || length > body.length - at) return undefined;
    const payload = body.subarray(at + 4, at + length);
    const type = view.getUint16(at + 2, LE);
    if (type === RTA_GATEWAY) gateway = Uint8Array.from(payload);
    else if (type === RTA_OIF && payload.length >= 4) index = view.getInt32(at + 4, LE);
    else if (type === RTA_TABLE && payload.length >= 4) table = view.getUint32(at + 4, LE);
    at += align(length);
  }
  return { prefix: body[1]!, table, index, gateway };
}

/** Whether a dumped route is a default route of the main table. */
export function isMainDefault(route: KernelRoute): boolean {
  return route.prefix === 0 && route.table === RT_TABLE_MAIN;
}

function familyOf(address: Uint8Array): number {
  return address.length === 4 ? AF_INET : AF_INET6;
}

function broadcastOf(local: Uint8Array, prefix: number): Uint8Array {
  return local.map((byte, at) => byte | (0xff >> Math.min(Math.max(prefix - at * 8, 0), 8)));
}

function align(size: number): number {
  return (size + 3) & ~3;
}
