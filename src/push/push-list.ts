/**
 * The options a server pushes (2.x push.c push_option(), push_reset(), push_remove_option()).
 * One list holds the configuration's pushes: `push` lines in file order, then those of the helper
 * directives. Every client works on a clone, to which CCD, plugins and client-connect add or take away.
 *
 * `ifconfig` and `ifconfig-ipv6` are not in the list but made per client; push-remove blocks them instead.
 */

/** Pushed options in order. */
export class PushList {
  readonly #options: string[];
  #ifconfigBlocked = false;
  #ifconfigIpv6Blocked = false;

  constructor(options: Iterable<string> = []) {
    this.#options = [];
    for (const option of options) this.add(option);
  }

  /**
   * Appends an option. False, with nothing added, when it holds a comma, which separates options on the
   * wire; 2.x logs `PUSH OPTION FAILED (illegal comma (',') in string): '...'` then.
   */
  add(option: string): boolean {
    if (option.includes(',') || option.includes('\0')) return false;
    this.#options.push(option);
    return true;
  }

  /** --push-reset: drops everything that was pushed so far. */
  reset(): void {
    this.#options.length = 0;
  }

  /**
   * --push-remove: drops the options that start with `prefix`; `ifconfig` and `ifconfig-ipv6`, written
   * out in full, keep the client's address of that family from being pushed. Returns what was dropped.
   */
  remove(prefix: string): string[] {
    if (prefix === 'ifconfig') {
      this.#ifconfigBlocked = true;
      return [];
    }
    if (prefix === 'ifconfig-ipv6') {
      this.#ifconfigIpv6Blocked = true;
      return [];
    }
    return this.removeWhere((option) => option.startsWith(prefix));
  }

  /** Drops the options that match and returns them, e.g. routes that are the client's own iroutes. */
  removeWhere(matches: (option: string) => boolean): string[] {
    const gone = this.#options.filter(matches);
    if (gone.length > 0) {
      const kept = this.#options.filter((option) => !matches(option));
      this.#options.splice(0, this.#options.length, ...kept);
    }
    return gone;
  }

  /** In the order they are sent. */
  get options(): readonly string[] {
    return this.#options;
  }

  get ifconfigBlocked(): boolean {
    return this.#ifconfigBlocked;
  }

  get ifconfigIpv6Blocked(): boolean {
    return this.#ifconfigIpv6Blocked;
  }

  clone(): PushList {
    const copy = new PushList(this.#options);
    copy.#ifconfigBlocked = this.#ifconfigBlocked;
    copy.#ifconfigIpv6Blocked = this.#ifconfigIpv6Blocked;
    return copy;
  }
}
