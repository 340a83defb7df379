/**
 * The walk over the peer's chain after the TLS handshake (2.x verify_callback(), verify_cert()): from
 * the authority down to the leaf, each certificate checked, logged, and shown to a tls-verify script
 * where there is one. A named state waits for the script: answer() goes on.
 */
import type { Logger } from '../base/base.ts';
import { D_HANDSHAKE, D_TLS_ERRORS } from '../base/errlevel.ts';
import type { VerifyPolicy } from './ssl.ts';
import type { ChainProblem, PeerCertificate } from './ssl-backend.ts';
import { cleanSubject, commonNameOf, fingerprintMatches, leafPasses, MAX_CERT_DEPTH } from './ssl-verify.ts';

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
    this.#run();
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
    this.#log(`VERIFY SCRIPT ${verdict}: depth=${certificate.depth}, ${cleanSubject(certificate)}`);
    if (!ok) this.#state = 'failed';
    else {
      this.#accept(certificate);
      this.#run();
    }
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
      } else this.#accept(certificate);
    }
    if (this.#state === 'waiting') this.#state = 'passed';
  }

  #accept(certificate: PeerCertificate): void {
    this.#log(`VERIFY OK: depth=${certificate.depth}, ${cleanSubject(certificate)}`);
    this.#at--;
  }

  #passes(certificate: PeerCertificate): boolean {
    const { policy, problem, log, equal } = this.#options;
    const { depth } = certificate;
    // Without an authority (--peer-fingerprint) only the leaf's fingerprint counts.
    if (policy.chain && problem && (problem.depth >= depth || depth === 0)) {
      const subject = cleanSubject(certificate);
      log.log(
        D_TLS_ERRORS,
        `VERIFY ERROR: depth=${depth}, error=${problem.reason}: ${subject}, serial=${certificate.serial}`,
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
    if (depth > 0) return true;
    const commonName = commonNameOf(certificate, policy, log);
    if (commonName === undefined || !fingerprintMatches(certificate, policy, equal, log)) return false;
    this.#commonName = commonName;
    return leafPasses(certificate, commonName, policy, log);
  }

  #log(text: string): void {
    this.#options.log.log(D_HANDSHAKE, text);
  }
}
