/**
 * Certificates for tests, made with the openssl program: an authority and what it issues, in any key
 * kind, validity and key usage. Test use only.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type KeyKind = 'rsa' | 'ec' | 'ed25519';

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** Subject in openssl's form, `/C=DE/O=Example/CN=client1`. */
  readonly subject: string;
  readonly kind?: KeyKind;
  /** Lines of an extension section, e.g. `extendedKeyUsage=serverAuth`. */
  readonly extensions?: readonly string[];
  readonly expired?: boolean;
  readonly serial?: number;
}

const KEY_ARGS: Record<KeyKind, readonly string[]> = {
  rsa: ['-newkey', 'rsa:2048'],
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  ed25519: ['-newkey', 'ed25519'],
};

/** An authority in a temporary folder; call close() at the end. */
export class TestPki {
  readonly ca: TestCertificate;
  readonly #dir: string;
  #count = 0;

  constructor(subject = '/C=DE/O=Example/CN=Test CA', kind: KeyKind = 'ec') {
    this.#dir = mkdtempSync(join(tmpdir(), 'ovpn-pki-'));
    const key = join(this.#dir, 'ca.key');
    const cert = join(this.#dir, 'ca.crt');
    this.#openssl(
      'req',
      '-x509',
      ...KEY_ARGS[kind],
      '-nodes',
      '-subj',
      subject,
      '-days',
      '3650',
      '-keyout',
      key,
      '-out',
      cert,
    );
    this.ca = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  }

  issue(options: IssueOptions): TestCertificate {
    const base = join(this.#dir, `c${++this.#count}`);
    const days = options.expired ? ['-days', '-1'] : ['-days', '30'];
    writeFileSync(`${base}.ext`, (options.extensions ?? []).join('\n'));
    this.#openssl(
      'req',
      '-new',
      ...KEY_ARGS[options.kind ?? 'ec'],
      '-nodes',
      '-subj',
      options.subject,
      '-keyout',
      `${base}.key`,
      '-out',
      `${base}.csr`,
    );
    const serial = ['-set_serial', String(options.serial ?? this.#count + 100)];
    const ca = ['-CA', join(this.#dir, 'ca.crt'), '-CAkey', join(this.#dir, 'ca.key')];
    this.#openssl(
      'x509',
      '-req',
      '-in',
      `${base}.csr`,
      ...ca,
      ...serial,
      ...days,
      '-extfile',
      `${base}.ext`,
      '-out',
      `${base}.crt`,
    );
    return { cert: readFileSync(`${base}.crt`, 'utf8'), key: readFileSync(`${base}.key`, 'utf8') };
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}
