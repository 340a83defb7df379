/**
 * The environment that scripts get (2.x env_set.h, env_set.c): nothing inherited from our own process,
 * only what was set here. Names keep letters, digits and `_`, values keep printable ASCII and UTF-8
 * bytes; every other character is left out. A server client's set starts as a copy of the global one.
 * Variables whose name starts with `password` are left out of a snapshot below script-security 3.
 */

/** script-security level from which passwords may be put into the environment (SSEC_PW_ENV). */
const SSEC_PW_ENV = 3;

export class EnvSet {
  readonly #values: Map<string, string>;

  constructor(from?: EnvSet) {
    this.#values = new Map(from ? from.#values : undefined);
  }

  /** Sets `name` to the cleaned text of `value`; undefined deletes it. */
  set(name: string, value: string | number | undefined): void {
    const key = cleanName(name);
    if (value === undefined) {
      this.#values.delete(key);
      return;
    }
    // Deleted first so that iteration order is the order of the last setting.
    this.#values.delete(key);
    this.#values.set(key, cleanValue(String(value)));
  }

  /** Becomes a copy of `other`: what was set since is gone. */
  reset(other: EnvSet): void {
    this.#values.clear();
    this.inherit(other);
  }

  delete(name: string): void {
    this.#values.delete(cleanName(name));
  }

  /** Deletes every variable whose name starts with `prefix`. */
  deletePrefix(prefix: string): void {
    for (const name of [...this.#values.keys()]) {
      if (name.startsWith(prefix)) this.#values.delete(name);
    }
  }

  get(name: string): string | undefined {
    return this.#values.get(cleanName(name));
  }

  has(name: string): boolean {
    return this.#values.has(cleanName(name));
  }

  /** Takes over every variable of `other`; same names are overwritten. */
  inherit(other: EnvSet): void {
    for (const [name, value] of other.#values) this.#values.set(name, value);
  }

  /** A copy that changes on its own, e.g. for a client instance. */
  child(): EnvSet {
    return new EnvSet(this);
  }

  /** Names and values in the order of setting; for management ENV blocks, passwords included. */
  entries(): IterableIterator<[string, string]> {
    return this.#values.entries();
  }

  /** What a script may see at this script-security level. A copy: later changes don't show. */
  snapshot(scriptSecurity: number): Record<string, string> {
    const result: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const [name, value] of this.#values) {
      if (scriptSecurity < SSEC_PW_ENV && name.startsWith('password')) continue;
      result[name] = value;
    }
    return result;
  }
}

function cleanName(name: string): string {
  return name.replace(/[^A-Za-z0-9_]/g, '');
}

function cleanValue(value: string): string {
  return value.replace(CONTROL_CHARACTERS, '');
}

/** What isprint() refuses among ASCII; bytes above 127 of UTF-8 text count as printable (CC_PRINT). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are exactly what is left out
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f]/g;
