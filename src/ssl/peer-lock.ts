/**
 * What a server binds a peer to once it was admitted (2.x ssl_verify.c tls_lock_common_name(),
 * tls_lock_username(), tls_lock_cert_hash_set()): name, login and certificates may not change for the
 * life of the TlsMulti.
 */
import type { Logger } from '../base/base.ts';
import { D_TLS_ERRORS } from '../base/errlevel.ts';
import type { PeerIdentity } from './ssl.ts';

export class PeerLock {
  readonly #log: Logger;
  #commonName: string | undefined;
  #fingerprints: string | undefined;
  readonly #usernames = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Binds the peer; later calls change nothing. */
  lock(identity: PeerIdentity): void {
    this.#commonName ??= identity.commonName;
    this.#fingerprints ??= fingerprintsOf(identity);
  }

  /** Whether name and certificates are still those of the first time. */
  isSamePeer(identity: PeerIdentity): boolean {
    if (this.#commonName !== undefined && this.#commonName !== identity.commonName) {
      this.#log.log(
        D_TLS_ERRORS,
        `TLS Auth Error: TLS object CN attempted to change from '${this.#commonName}' to '${identity.commonName}' -- tunnel disabled`,
      );
      return false;
    }
    if (this.#fingerprints !== undefined && this.#fingerprints !== fingerprintsOf(identity)) {
      this.#log.log(
        D_TLS_ERRORS,
        `TLS Auth Error: TLS object CN=${identity.commonName} client-provided SSL certs unexpectedly changed during mid-session reauth`,
      );
      return false;
    }
    return true;
  }

  /**
   * Whether the login has the name of the first one. `replacement` is the name that the login was
   * changed to (override-username): the peer may use either from then on.
   */
  lockUsername(username: string, replacement: string | undefined): boolean {
    const [first] = this.#usernames;
    if (first !== undefined && !this.#usernames.has(username)) {
      this.#log.log(
        D_TLS_ERRORS,
        `TLS Auth Error: username attempted to change from '${first}' to '${username}' -- tunnel disabled`,
      );
      return false;
    }
    // Two names at most: what the peer gave, and what it was changed to at first.
    if (first === undefined) {
      this.#usernames.add(username);
      if (replacement !== undefined) this.#usernames.add(replacement);
    }
    return true;
  }
}

function fingerprintsOf(identity: PeerIdentity): string {
  return identity.chain.map((certificate) => certificate.sha256).join(' ');
}
