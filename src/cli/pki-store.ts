/**
 * The folder of `openvpn-ts pki`: certificates readable by all, keys by their owner only.
 *
 *   ca.crt  ca.key  tls-crypt.key  issued/NAME.crt  private/NAME.key
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoLine, OpenVpnError } from '../base/base.ts';
import {
  type Credential,
  createAuthority,
  createTlsCryptKey,
  issueCertificate,
  type LeafKind,
} from './pki.ts';

/** Everything that one end's configuration needs. */
export interface Bundle extends Credential {
  readonly ca: string;
  readonly tlsCrypt: string;
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/;

/** X.509 extended key usage. */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

export class PkiStore {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  get exists(): boolean {
    return existsSync(join(this.directory, 'ca.crt'));
  }

  /** Makes CA and tls-crypt key. Throws OpenVpnError when there is a CA already. */
  async init(commonName: string): Promise<void> {
    if (this.exists) throw new OpenVpnError(`${this.directory} has a CA already`);
    if (commonName.trim() === '' || commonName.length > 64)
      throw new OpenVpnError('the name of a CA has 1 to 64 characters');
    for (const folder of ['.', 'issued', 'private']) {
      mkdirSync(join(this.directory, folder), { recursive: true, mode: 0o700 });
    }
    const authority = await createAuthority(commonName);
    this.#write('ca.key', authority.privateKey, 0o600);
    this.#write('tls-crypt.key', createTlsCryptKey(), 0o600);
    this.#write('ca.crt', authority.certificate, 0o644);
  }

  /** Issues a certificate. Throws OpenVpnError when the name is taken or unusable. */
  async issue(kind: LeafKind, name: string): Promise<Bundle> {
    if (!NAME.test(name))
      throw new OpenVpnError(`'${name}' can't be used as a name: letters, digits, _ . - only`);
    if (existsSync(this.#path(`issued/${name}.crt`)))
      throw new OpenVpnError(`there is a certificate for '${name}' already`);
    const authority = { certificate: this.#read('ca.crt'), privateKey: this.#read('ca.key') };
    const leaf = await issueCertificate(authority, kind, name);
    this.#write(`private/${name}.key`, leaf.privateKey, 0o600);
    this.#write(`issued/${name}.crt`, leaf.certificate, 0o644);
    return this.bundle(name);
  }

  /** Throws OpenVpnError when there is no such certificate. */
  bundle(name: string): Bundle {
    if (!NAME.test(name))
      throw new OpenVpnError(`'${name}' can't be used as a name: letters, digits, _ . - only`);
    return {
      ca: this.#read('ca.crt'),
      tlsCrypt: this.#read('tls-crypt.key'),
      certificate: this.#read(`issued/${name}.crt`),
      privateKey: this.#read(`private/${name}.key`),
    };
  }

  /** The same for a client's profile. Throws OpenVpnError for a certificate that lets its holder be a server. */
  clientBundle(name: string): Bundle {
    const bundle = this.bundle(name);
    if (isForServers(bundle.certificate)) {
      throw new OpenVpnError(
        `'${name}' is the certificate of a server, whose key must not leave it: make one for the client (pki client NAME)`,
      );
    }
    return bundle;
  }

  names(): string[] {
    return readdirSync(this.#path('issued'))
      .filter((file) => file.endsWith('.crt'))
      .map((file) => file.slice(0, -4));
  }

  #path(file: string): string {
    return join(this.directory, file);
  }

  #read(file: string): string {
    try {
      return readFileSync(this.#path(file), 'utf8');
    } catch (cause) {
      throw new OpenVpnError(errnoLine(`cannot read ${this.#path(file)}`, cause as Error), undefined, {
        cause,
      });
    }
  }

  #write(file: string, text: string, mode: number): void {
    writeFileSync(this.#path(file), text, { mode, flag: 'wx' });
  }
}

/** What a certificate without extended key usage is for, nobody knows. */
function isForServers(certificate: string): boolean {
  return new X509Certificate(certificate).keyUsage?.includes(SERVER_AUTH) ?? false;
}
