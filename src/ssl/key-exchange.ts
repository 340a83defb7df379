/**
 * The key method 2 exchange of one key (2.x ssl.c key_method_2_write(), key_method_2_read()): both ends' random for the
 * data keys, and what the peer says of itself. Whether that is enough is for the key to decide.
 */
import { D_PUSH, D_SHOW_OCC, M_INFO, M_WARN } from '../base/errlevel.ts';
import {
  createKeySource,
  KEY_MESSAGE_READ_MAX,
  type KeyMessage,
  type KeySource,
  readKeyMessage,
  replaceControlCharacters,
  writeKeyMessage,
  zeroKeySource,
} from './key-method-2.ts';
import { areConsistent, compareOptions, usesCompression, withCompLzo } from './options-compare.ts';
import { type PeerInfo, parsePeerInfo } from './peer-info.ts';
import type { PeerIdentity, TlsMultiConfig } from './ssl.ts';

const NOTHING = new Uint8Array(0);

/** The peer's message, once it is whole. */
export interface ReadKeyMessage {
  readonly message: KeyMessage;
  readonly identity: PeerIdentity;
  /** Its options are what they should be. */
  readonly consistent: boolean;
}

export class KeyExchange {
  readonly #config: TlsMultiConfig;
  #identity: PeerIdentity | undefined;
  #own: KeySource | undefined;
  #peer: KeySource | undefined;
  /** The peer's message as far as it came. */
  #partial: Uint8Array = NOTHING;

  constructor(config: TlsMultiConfig) {
    this.#config = config;
  }

  /** What the peer said and proved, once its message is read. */
  get identity(): PeerIdentity | undefined {
    return this.#identity;
  }

  /** The login has given the peer another name (override-username, token). */
  rename(username: string): void {
    if (!this.#identity) return;
    const name = this.#nameOf(this.#identity.commonName, username);
    this.#identity = { ...this.#identity, username, name };
  }

  /** Own message, to be zeroed when it is sent; 'pending' while the login is asked for, 'too-long' when a peer couldn't read it. */
  write(): Uint8Array | 'pending' | 'too-long' {
    const config = this.#config;
    const credentials = config.role === 'client' ? config.credentials?.() : undefined;
    if (credentials === 'pending') return 'pending';
    this.#own = createKeySource(config.crypto, config.role);
    const options = config.occ ? this.#ownOptions() : '';
    const message = { source: this.#own, options, credentials, peerInfo: config.peerInfo() };
    return writeKeyMessage(message) ?? 'too-long';
  }

  /** One more piece of the peer's message. `proven` is what its certificates say; texts are 2.x's reasons to give up. */
  read(
    chunk: Uint8Array,
    proven: Pick<PeerIdentity, 'commonName' | 'chain'>,
  ): ReadKeyMessage | { readonly problem: string } | 'incomplete' {
    const bytes = new Uint8Array(this.#partial.length + chunk.length);
    bytes.set(this.#partial);
    bytes.set(chunk, this.#partial.length);
    this.#forgetPartial();
    const message = readKeyMessage(bytes, this.#config.role === 'server');
    if (message === 'incomplete' && bytes.length <= KEY_MESSAGE_READ_MAX) {
      this.#partial = bytes;
      return 'incomplete';
    }
    bytes.fill(0);
    if (message === 'incomplete')
      return { problem: `TLS ERROR: Plaintext buffer too short (${bytes.length} bytes).` };
    return 'text' in message ? { problem: message.text } : this.#accept(message, proven);
  }

  /** Both sources, once; the caller zeroes them. */
  takeSources(): { readonly own: KeySource; readonly peer: KeySource } | undefined {
    const [own, peer] = [this.#own, this.#peer];
    this.#own = undefined;
    this.#peer = undefined;
    return own && peer ? { own, peer } : undefined;
  }

  /** Zeroes what is secret. */
  close(): void {
    zeroKeySource(this.#own);
    zeroKeySource(this.#peer);
    this.#own = undefined;
    this.#peer = undefined;
    this.#forgetPartial();
  }

  #forgetPartial(): void {
    this.#partial.fill(0);
    this.#partial = NOTHING;
  }

  #accept(message: KeyMessage, proven: Pick<PeerIdentity, 'commonName' | 'chain'>): ReadKeyMessage {
    this.#peer = message.source;
    const username = replaceControlCharacters(message.username);
    const identity = {
      ...proven,
      username,
      name: this.#nameOf(proven.commonName, username),
      peerInfo: parsePeerInfo(message.peerInfo),
      options: message.options,
    };
    this.#identity = identity;
    this.#logPeerInfo(identity.peerInfo);
    const consistent = !this.#config.occ || this.#compareOptions(message.options);
    return { message, identity, consistent };
  }

  #nameOf(commonName: string, username: string): string {
    return this.#config.usernameAsCommonName ? username : commonName;
  }

  #logPeerInfo({ shown: { lines, invalid } }: PeerInfo): void {
    const { log } = this.#config;
    for (const [name, value] of lines) log.log(M_INFO, `peer info: ${name}=${value}`);
    for (let i = 0; i < invalid; i++)
      log.log(M_WARN, 'validation failed on peer_info line received from client');
  }

  #compareOptions(remote: string): boolean {
    const { log, remoteOptions } = this.#config;
    const migrates = this.#migrates(remote);
    if (migrates && remote !== remoteOptions) {
      log.log(D_PUSH, "Note: 'compress migrate' detected remote peer with compression enabled.");
    }
    if (remoteOptions === '') return true;
    const expected = migrates ? withCompLzo(remoteOptions) : remoteOptions;
    if (log.enabled(D_SHOW_OCC))
      for (const line of compareOptions(expected, remote)) log.log(D_SHOW_OCC, line);
    return areConsistent(remoteOptions, remote);
  }

  /** --compress migrate, and the peer has compression. */
  #migrates(remote: string): boolean {
    return this.#config.compressMigrate === true && usesCompression(remote);
  }

  #ownOptions(): string {
    const { localOptions } = this.#config;
    return this.#migrates(this.#identity?.options ?? '') ? withCompLzo(localOptions) : localOptions;
  }
}
