/**
 * The walk over the peer's chain after the TLS handshake (2.x verify_callback(), verify_cert()): from
 * the authority down to the leaf, each certificate checked, logged, and shown to a tls-verify script
 * where there is one. A named state waits for the script: answer() goes on.
 */
import type { Logger } from '../base/base.ts';
import { D_HANDSHAKE, D_TLS_DEBUG_LOW, D_TLS_ERRORS } from '../base/errlevel.ts';
import type { VerifyPolicy } from './ssl.ts';
import type { ChainProblem, PeerCertificate } from './ssl-backend.ts';
import {
  authorityHashMatches,
  cleanSubject,
  commonNameOf,
  fingerprintMatches,
  leafPasses,
  MAX_CERT_DEPTH,
} from './ssl-verify.ts';

export interface ChainCheckOptions {
  /** Leaf first. */
  readonly chain: readonly PeerCertificate[];
  readonly problem: ChainProblem | undefined;
  readonly policy: VerifyPolicy;
  readonly log: Logger;
  /** Constant-time comparison. */
  readonly equal: (a: Uint8Array, b: Uint8Array) => boolean;
  /** Asks a tls-verify script; undefined when there is none. */
  readonly ask: ((certificate: PeerCertificate) => void) | undefined;
}

/** What OpenSSL finds in the last part of its verification, when it has asked the revocation lists. */
const BEHIND_LISTS: ReadonlySet<string> = new Set([
  'certificate has expired',
  'certificate is not yet valid',
  'certificate signature failure',
]);

export type ChainCheckState = 'waiting' | 'passed' | 'failed';

export class ChainCheck {
  readonly #options: ChainCheckOptions;
  /** Index of the certificate in question; -1 when all are done. */
  #at: number;
  #state: ChainCheckState = 'waiting';
  #commonName = '';

  /** Starts at once and goes on to the end or the first question. */
  constructor(options: ChainCheckOptions) {
    this.#options = options;
    this.#at = options.chain.length - 1;
    const { problem } = options;
    const revoked = problem && !BEHIND_LISTS.has(problem.reason) ? undefined : this.#revocation();
    if (revoked) this.#refuse(options.chain[revoked.depth]!, revoked.reason);
    else this.#run();
  }

  get state(): ChainCheckState {
    return this.#state;
  }

  /** Of the leaf, cleaned; '' without a certificate. */
  get commonName(): string {
    return this.#commonName;
  }

  /** The answer of the tls-verify script. */
  answer(ok: boolean): void {
    if (this.#state !== 'waiting') return;
    const certificate = this.#options.chain[this.#at]!;
    const verdict = ok ? 'OK' : 'ERROR';
    if (this.#options.policy.verifyScript !== false) this.#note(`VERIFY SCRIPT ${verdict}`, certificate);
    if (!ok || !this.#accept(certificate)) this.#state = 'failed';
    else this.#run();
  }

  #run(): void {
    const { chain, ask } = this.#options;
    while (this.#state === 'waiting' && this.#at >= 0) {
      const certificate = chain[this.#at]!;
      if (!this.#passes(certificate)) {
        this.#state = 'failed';
      } else if (ask) {
        ask(certificate);
        return;
      } else if (!this.#accept(certificate)) this.#state = 'failed';
    }
    if (this.#state === 'waiting') this.#state = 'passed';
  }

  /** Lists are asked about the whole chain first, as OpenSSL does; a missing one is no problem. */
  #revocation(): ChainProblem | undefined {
    const { chain, policy, log } = this.#options;
    if (!policy.chain) return undefined;
    return policy.revocation?.chainProblem(chain, (certificate) =>
      log.log(
        D_TLS_DEBUG_LOW,
        `VERIFY WARNING: depth=${certificate.depth}, unable to get certificate CRL: ${cleanSubject(certificate)}`,
      ),
    );
  }

  #refuse(certificate: PeerCertificate, reason: string): void {
    this.#state = 'failed';
    const { log } = this.#options;
    if (!log.enabled(D_TLS_ERRORS)) return;
    const { depth, serial } = certificate;
    const subject = cleanSubject(certificate) || '(Failed to retrieve certificate subject)';
    log.log(D_TLS_ERRORS, `VERIFY ERROR: depth=${depth}, error=${reason}: ${subject}, serial=${serial}`);
  }

  /** The last word on a certificate. */
  #accept(certificate: PeerCertificate): boolean {
    const { policy, log } = this.#options;
    const { revocation } = policy;
    if (revocation && !revocation.loaded) {
      log.log(D_TLS_ERRORS, 'VERIFY ERROR: CRL not loaded');
      return false;
    }
    if (revocation && !revocation.accepts(certificate, () => cleanSubject(certificate))) return false;
    this.#note('VERIFY OK', certificate);
    this.#at--;
    return true;
  }

  #passes(certificate: PeerCertificate): boolean {
    const { policy, problem, log, equal } = this.#options;
    const { depth } = certificate;
    // Without an authority (--peer-fingerprint) only the leaf's fingerprint counts.
    if (policy.chain && problem && (problem.depth >= depth || depth === 0)) {
      this.#refuse(certificate, problem.reason);
      return false;
    }
    if (certificate.subject === '') {
      log.log(
        D_TLS_ERRORS,
        `VERIFY ERROR: depth=${depth}, could not extract X509 subject string from certificate`,
      );
      return false;
    }
    if (depth >= MAX_CERT_DEPTH) {
      log.log(
        D_TLS_ERRORS,
        `TLS Error: Convoluted certificate chain detected with depth [${depth}] greater than ${MAX_CERT_DEPTH}`,
      );
      return false;
    }
    if (depth > 0) return authorityHashMatches(certificate, policy, equal, log);
    const commonName = commonNameOf(certificate, policy, log);
    if (commonName === undefined || !fingerprintMatches(certificate, policy, equal, log)) return false;
    this.#commonName = commonName;
    return leafPasses(certificate, commonName, policy, log);
  }

  /** The subject's text is made for who reads it. */
  #note(verdict: string, certificate: PeerCertificate): void {
    const { log } = this.#options;
    if (!log.enabled(D_HANDSHAKE)) return;
    log.log(D_HANDSHAKE, `${verdict}: depth=${certificate.depth}, ${cleanSubject(certificate)}`);
  }
}
