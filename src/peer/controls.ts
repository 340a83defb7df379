/** What makes the control channel of a peer. */
import type { PeerAddress } from '../base/base.ts';
import { createTlsMulti, type TlsMulti, type TlsMultiConfig } from '../ssl/ssl.ts';

/** `wake` is called, never from inside of a call into it, when it has output of its TLS engine. */
export type CreateControl = (address: PeerAddress, wake: () => void) => TlsMulti;

/** A control channel over TLS. */
export function tlsControl(config: Omit<TlsMultiConfig, 'address' | 'wake'>): CreateControl {
  return (address, wake) => createTlsMulti({ ...config, address, wake });
}
