/**
 * --capath (2.x ssl_openssl.c tls_ctx_load_ca(), OpenSSL's X509_LOOKUP_hash_dir()): a directory of authorities in files
 * named `<hash>.<n>` and of revocation lists named `<hash>.r<n>`. OpenSSL looks files up when it needs them; here
 * all are read at the start and again when the directory changed.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, TlsError } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';

const CERTIFICATE_FILE = /^[0-9a-f]{8}\.\d+$/;
const LIST_FILE = /^[0-9a-f]{8}\.r\d+$/;

export class AuthorityDirectory {
  readonly #path: string;
  #seen = '';
  #certificates: readonly string[] = [];
  #lists: readonly string[] = [];

  /** Reads the directory. Throws TlsError when that can't be done. */
  constructor(path: string, log: Logger) {
    this.#path = path;
    log.log(M_WARN, `WARNING: experimental option --capath ${path}`);
    try {
      this.refresh();
    } catch (cause) {
      throw new TlsError(`Cannot add lookup at --capath ${path}`, { cause });
    }
  }

  /** PEM texts of authorities. */
  get certificates(): readonly string[] {
    return this.#certificates;
  }

  /** PEM texts of revocation lists. */
  get lists(): readonly string[] {
    return this.#lists;
  }

  /** Whether files came, went or changed since the last look; reads them then. Throws when the directory can't be read. */
  refresh(): boolean {
    const files = readdirSync(this.#path)
      .filter((name) => CERTIFICATE_FILE.test(name) || LIST_FILE.test(name))
      .sort();
    const seen = files.map((name) => `${name} ${stampOf(join(this.#path, name))}`).join('\n');
    if (seen === this.#seen) return false;
    this.#seen = seen;
    this.#certificates = this.#read(files.filter((name) => CERTIFICATE_FILE.test(name)));
    this.#lists = this.#read(files.filter((name) => LIST_FILE.test(name)));
    return true;
  }

  #read(names: readonly string[]): string[] {
    return names.flatMap((name) => {
      try {
        return [readFileSync(join(this.#path, name), 'utf8')];
      } catch {
        // A link to nowhere authorises nobody.
        return [];
      }
    });
  }
}

/** Follows links, as names in such directories mostly are. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? `${stat.mtimeMs} ${stat.size}` : '-';
}
