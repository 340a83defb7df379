/**
 * Joins the parts of a PUSH_REPLY (2.x push.c process_incoming_push_reply()) and computes the digest
 * that decides whether tun is reopened on a reconnect.
 *
 *   part with `push-continuation 2`: more follows; `push-continuation 1` or none: complete
 *
 * A server may not fill our memory: bytes and options of one reply are bounded.
 */

/** Our bounds; 2.x servers send a few kilobytes at most. */
const MAX_BYTES = 256 * 1024;
const MAX_OPTIONS = 8192;
/** 2.x OPTION_PARM_SIZE less NUL: longer options are cut there; we refuse the message. */
const MAX_OPTION_BYTES = 255;

/** Options that may change between connections without any effect on tun. */
const NOT_IN_DIGEST = [
  'peer-id ',
  'auth-token ',
  'auth-token-user ',
  'protocol-flags ',
  'key-derivation ',
  'explicit-exit-notify ',
  'ping ',
  'ping-restart ',
  'ping-timer ',
];

/** Collects the options of one push reply; make a new one, or reset(), for each connection. */
export class PushCollector {
  #options: string[] = [];
  #bytes = 0;
  #complete = false;

  /** Everything collected, in order, without `push-continuation`. */
  get options(): readonly string[] {
    return this.#options;
  }

  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Takes the items of one PUSH_REPLY message.
   * @returns 'more': wait for the next part. 'done': options is complete. 'duplicate': a reply had been
   * complete before; only a token in it counts. 'bad': too long, or continuation without sense; the
   * message is not taken.
   */
  add(items: readonly string[]): 'more' | 'done' | 'duplicate' | 'bad' {
    if (this.#complete) return 'duplicate';
    const bytes = items.reduce((sum, item) => sum + Buffer.byteLength(item) + 1, 0);
    if (this.#bytes + bytes > MAX_BYTES || this.#options.length + items.length > MAX_OPTIONS) return 'bad';
    let continuation = 0;
    const options: string[] = [];
    for (const item of items) {
      if (Buffer.byteLength(item) > MAX_OPTION_BYTES) return 'bad';
      const match = /^push-continuation\s+"?(\d+)"?\s*$/.exec(item);
      if (!match) options.push(item);
      else continuation = Number(match[1]);
    }
    if (continuation > 2) return 'bad';
    this.#bytes += bytes;
    for (const option of options) this.#options.push(option);
    this.#complete = continuation !== 2;
    return this.#complete ? 'done' : 'more';
  }

  reset(): void {
    this.#options = [];
    this.#bytes = 0;
    this.#complete = false;
  }
}

/**
 * Digest of the options that matter for tun: equal digests of two connections keep it open. Only ever
 * compared with our own, so the hash is of local choice; lines are ended by NUL each.
 * @param context tunMtuFixed: tun-mtu is set, so that another cipher can't change it.
 * @param hash SHA-256 of a CryptoBackend.
 */
export function pulledOptionsDigest(
  options: readonly string[],
  context: { readonly tunMtuFixed: boolean },
  hash: (data: Uint8Array) => Uint8Array,
): string {
  const lines = options.filter((option) => {
    if (NOT_IN_DIGEST.some((prefix) => option.startsWith(prefix))) return false;
    return !(option.startsWith('cipher ') && context.tunMtuFixed);
  });
  return Buffer.from(hash(Buffer.from(lines.map((line) => `${line}\0`).join('')))).toString('hex');
}
