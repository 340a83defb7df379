/**
 * Certificates for tests, made with the openssl program: an authority and what it issues, in any key
 * kind, validity and key usage. Test use only.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** RFC 7919 ffdhe2048 as PEM. */
export const FFDHE2048 = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
`;

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
  /** Who signs; the authority itself when left out. */
  readonly issuer?: TestCertificate;
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
    const issuer = options.issuer ?? this.ca;
    writeFileSync(`${base}.ca.crt`, issuer.cert);
    writeFileSync(`${base}.ca.key`, issuer.key);
    const ca = ['-CA', `${base}.ca.crt`, '-CAkey', `${base}.ca.key`];
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

  /** A PKCS#12 file of a certificate, its key, and the authority's certificate. */
  pkcs12(own: TestCertificate, password: string): Uint8Array {
    const base = join(this.#dir, `p${++this.#count}`);
    writeFileSync(`${base}.pem`, `${own.key}${own.cert}`);
    const extra = ['-certfile', join(this.#dir, 'ca.crt'), '-passout', `pass:${password}`];
    this.#openssl('pkcs12', '-export', '-in', `${base}.pem`, ...extra, '-out', `${base}.p12`);
    return readFileSync(`${base}.p12`);
  }

  /** The key, encrypted. */
  encryptedKey(own: TestCertificate, password: string): string {
    const base = join(this.#dir, `k${++this.#count}`);
    writeFileSync(`${base}.key`, own.key);
    this.#openssl(
      'pkey',
      '-in',
      `${base}.key`,
      '-aes256',
      '-passout',
      `pass:${password}`,
      '-out',
      `${base}.enc`,
    );
    return readFileSync(`${base}.enc`, 'utf8');
  }

  /**
   * A certificate of the authority's key under a name that says the same otherwise: `stringMask` is openssl's, e.g.
   * `nombstr` for PrintableStrings.
   */
  respelled(subject: string, stringMask: string): string {
    const base = join(this.#dir, `r${++this.#count}`);
    writeFileSync(
      `${base}.cnf`,
      `[req]\nstring_mask = ${stringMask}\nutf8 = yes\ndistinguished_name = dn\n[dn]\n`,
    );
    const name = ['-subj', subject, '-key', join(this.#dir, 'ca.key'), '-config', `${base}.cnf`];
    this.#openssl('req', '-x509', '-new', ...name, '-out', `${base}.crt`);
    return `${base}.crt`;
  }

  /**
   * A list of revoked serial numbers in PEM; `days` may be negative: a list whose time is over. `signer`: file of a
   * certificate of the authority's key, whose name the list gets, see respelled().
   */
  revoke(serials: readonly number[], days = 30, signer = join(this.#dir, 'ca.crt')): string {
    const base = join(this.#dir, `l${++this.#count}`);
    const line = (serial: number): string => {
      const hex = serial.toString(16).toUpperCase();
      return `R\t401231235959Z\t250101000000Z\t${hex.padStart(hex.length + (hex.length % 2), '0')}\tunknown\t/CN=x\n`;
    };
    writeFileSync(`${base}.index`, serials.map(line).join(''));
    const settings = [`database=${base}.index`, 'default_md=sha256', `crlnumber=${base}.number`];
    writeFileSync(`${base}.number`, '01\n');
    writeFileSync(`${base}.cnf`, `[ca]\ndefault_ca=own\n[own]\n${settings.join('\n')}\n`);
    const dates =
      days >= 0
        ? ['-crldays', String(days)]
        : ['-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', '20200102000000Z'];
    const keys = ['-cert', signer, '-keyfile', join(this.#dir, 'ca.key')];
    this.#openssl('ca', '-config', `${base}.cnf`, '-gencrl', ...dates, ...keys, '-out', `${base}.crl`);
    return readFileSync(`${base}.crl`, 'utf8');
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}
