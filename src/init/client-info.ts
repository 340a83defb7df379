/**
 * What a client tells about itself: the data of management's >STATE and status, as values.
 */
import type { LinkAddress, OpenVpnError } from '../base/base.ts';
import type { LinkCounters } from '../forward/forward.ts';
import type { ConnectionEntry, Options } from '../options/options.ts';
import type { Link } from '../socket/socket.ts';
import type { ClientSession } from './client-session.ts';
import type { TunnelState } from './init.ts';

/** Why a state was entered, and what is in use by then. */
export interface StateInfo {
  /** RECONNECTING and EXITING: 2.x's name for the cause, e.g. `ping-restart`; '' when it came from outside. */
  readonly reason?: string;
  /** RECONNECTING and EXITING: what went wrong; missing when nothing did. */
  readonly error?: OpenVpnError;
  /** From CONNECTED on: our addresses in the tunnel. */
  readonly address?: string;
  readonly address6?: string;
  /** The server's address outside of the tunnel, as far as it is known. */
  readonly remote?: LinkAddress;
}

/** A client or point-to-point peer as it is; what isn't known (yet) is missing. */
export interface ClientInfo extends StateInfo {
  readonly state: TunnelState;
  readonly transport?: 'udp' | 'tcp';
  /** Our address outside of the tunnel. */
  readonly local?: LinkAddress;
  /** Name of the TUN device. */
  readonly device?: string;
  readonly mtu?: number;
  /** Of the data channel, as 2.x writes it: `AES-256-GCM`. */
  readonly cipher?: string;
  /** Digest of the data channel; missing with AEAD ciphers. */
  readonly auth?: string;
  readonly peerId?: number;
  /** Common name of the peer's certificate. */
  readonly peerName?: string;
  /** Since the client was started, over all connections. */
  readonly counters: Readonly<LinkCounters>;
}

export interface ClientInfoParts {
  readonly state: TunnelState;
  readonly cause: Pick<StateInfo, 'reason' | 'error'>;
  readonly options: Options;
  readonly ce: ConnectionEntry | undefined;
  readonly session: ClientSession | undefined;
  readonly link: Link | undefined;
  readonly device: string | undefined;
  readonly counters: LinkCounters;
}

/** Addresses count only while there is a device that has them. */
export function clientInfo(parts: ClientInfoParts): ClientInfo {
  const { state, cause, options, ce, session, link, device, counters } = parts;
  const { ifconfig, ifconfigIpv6 } = options;
  const params = session?.peer.params;
  const peerName = session?.peer.identity?.commonName;
  const remote = session?.remote;
  return {
    state,
    ...cause,
    ...(device !== undefined && { device }),
    ...(device !== undefined && ifconfig && { address: ifconfig.local }),
    ...(device !== undefined && ifconfigIpv6 && { address6: ifconfigIpv6.local }),
    ...(device !== undefined && ce && { mtu: ce.tunMtu }),
    ...(remote && { remote }),
    ...(link && { transport: link.transport, local: link.local }),
    ...(params && { cipher: params.cipher.name, peerId: params.peerId }),
    ...(params?.digest && { auth: params.digest.name }),
    ...(peerName && { peerName }),
    counters: { ...counters },
  };
}
