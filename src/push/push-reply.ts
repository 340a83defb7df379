/**
 * PUSH_REPLY of a server (2.x push.c prepare_push_reply(), send_push_reply()): the items in 2.x's order
 * and their division into messages.
 *
 *   PUSH_REPLY,<push list>,ifconfig-ipv6,ifconfig,peer-id,auth-token,cipher,key-derivation,protocol-flags,tun-mtu
 *
 * A reply is at most 1023 bytes. All parts but the last end with `,push-continuation 2`, the last of
 * several with `,push-continuation 1`.
 */
import { ipv4FromNumber, netmaskOfPrefix } from '../base/base.ts';
import type { Options } from '../options/options.ts';
import type { DataChannelParams, PeerInfo } from '../ssl/ssl.ts';

const PUSH_REPLY = 'PUSH_REPLY';
/** 2.x PUSH_BUNDLE_SIZE (1024) less 84 bytes for what may follow: a message takes no option beyond this. */
const SPLIT_BYTES = 1024 - 84;
/** Longest item made from numbers and addresses; 2.x's buffer is 256 with NUL. */
const MAX_GENERATED_BYTES = 255;

/** What a client's options say about its push list. */
type PushList = Pick<
  Options,
  'push' | 'pushIfconfigBlocked' | 'pushIfconfigIpv6Blocked' | 'iroutes' | 'iroutesIpv6'
>;

/** The tunnel addresses of one client, in text form as they go into the reply. */
export interface PushAddresses {
  /** `ifconfig local remoteOrNetmask`; undefined = none. */
  readonly ifconfig: { readonly local: string; readonly remoteOrNetmask: string } | undefined;
  /** `ifconfig-ipv6 local/bits remote` */
  readonly ifconfigIpv6:
    | { readonly local: string; readonly bits: number; readonly remote: string }
    | undefined;
}

export interface PushReplyInput {
  /** What was negotiated for the client's session. */
  readonly params: DataChannelParams;
  readonly peerInfo: PeerInfo;
  /** The server's own tun-mtu; pushed when the client sent IV_MTU. */
  readonly tunMtu: number;
  readonly authToken?: string;
  readonly authTokenUser?: string;
}

/** All items of the reply in 2.x's order. */
export function pushReplyItems(list: PushList, addresses: PushAddresses, input: PushReplyInput): string[] {
  return [...listItems(list), ...addressItems(list, addresses), ...pushReplyParameters(input)];
}

/** What negotiation decided: peer-id, tokens, cipher, key derivation or protocol flags, tun-mtu. */
export function pushReplyParameters(input: PushReplyInput): string[] {
  const { params, authToken, authTokenUser, peerInfo: peer } = input;
  const items: string[] = [];
  if (params.peerId >= 0) items.push(`peer-id ${params.peerId}`);
  if (authToken !== undefined) items.push(`auth-token ${authToken}`);
  if (authTokenUser !== undefined) items.push(`auth-token-user ${authTokenUser}`);
  if (peer.ncp >= 2 || peer.ciphers !== undefined) items.push(`cipher ${params.cipher.name}`);
  if (params.tlsEkm && !params.ccExit) items.push('key-derivation tls-ekm');
  const flags = protocolFlags(params);
  if (flags.length > 0) items.push(`protocol-flags ${flags.join(' ')}`);
  if (peer.mtu > 0) items.push(`tun-mtu ${input.tunMtu}`);
  return items.filter((item) => Buffer.byteLength(item) <= MAX_GENERATED_BYTES && !item.includes(','));
}

/**
 * Divides items into PUSH_REPLY messages. Without items there is one empty reply. Undefined when one
 * option alone is too long: 2.x logs `--push option is too long` and sends nothing.
 * @param limit bytes that a message may reach before an option is added; 940 as in 2.x.
 */
export function buildPushReplies(
  items: readonly string[],
  limit: number = SPLIT_BYTES,
): string[] | undefined {
  const done: string[] = [];
  let message = PUSH_REPLY;
  let bytes = PUSH_REPLY.length;
  for (const item of items) {
    const itemBytes = Buffer.byteLength(item);
    if (bytes + itemBytes >= limit) {
      done.push(`${message},push-continuation 2`);
      message = PUSH_REPLY;
      bytes = PUSH_REPLY.length;
    }
    if (bytes + itemBytes >= limit) return undefined;
    message += `,${item}`;
    bytes += itemBytes + 1;
  }
  done.push(done.length > 0 ? `${message},push-continuation 1` : message);
  return done;
}

/** The list without routes to the client's own networks (2.x push.c remove_iroutes_from_push_route_list()). */
function listItems({ push, iroutes, iroutesIpv6 }: PushList): string[] {
  const own = new Set([
    ...iroutes.map(({ network, prefix }) => `route ${network} ${ipv4FromNumber(netmaskOfPrefix(prefix))}`),
    ...iroutesIpv6.map(({ network, prefix }) => `route-ipv6 ${network}/${prefix}`),
  ]);
  return push.filter((item) => !own.has(item.replace(/\s+/g, ' ').split(' ').slice(0, 3).join(' ')));
}

/** `ifconfig-ipv6` and `ifconfig`, unless push-remove took them away. */
function addressItems(list: PushList, { ifconfig, ifconfigIpv6 }: PushAddresses): string[] {
  const items: string[] = [];
  if (ifconfigIpv6 && !list.pushIfconfigIpv6Blocked) {
    items.push(`ifconfig-ipv6 ${ifconfigIpv6.local}/${ifconfigIpv6.bits} ${ifconfigIpv6.remote}`);
  }
  if (ifconfig && !list.pushIfconfigBlocked) {
    items.push(`ifconfig ${ifconfig.local} ${ifconfig.remoteOrNetmask}`);
  }
  return items;
}

/** A client without the cc-exit flag doesn't read tls-ekm here but from key-derivation. */
function protocolFlags(params: DataChannelParams): string[] {
  const flags: string[] = [];
  if (params.ccExit) flags.push('cc-exit');
  if (params.ccExit && params.tlsEkm) flags.push('tls-ekm');
  if (params.dynTlsCrypt) flags.push('dyn-tls-crypt');
  if (params.epoch) flags.push('aead-epoch');
  return flags;
}
