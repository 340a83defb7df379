/**
 * PUSH_UPDATE of a server (2.7 push_util.c): options for clients that are connected, divided into
 * messages, and which tunnel addresses they change.
 *
 *   PUSH_UPDATE,option,-option,?option,push-continuation 2      more follows
 *   PUSH_UPDATE,option,push-continuation 1                      last of several
 */

const PUSH_UPDATE = 'PUSH_UPDATE';
/** 2.x PUSH_BUNDLE_SIZE less what may follow: 84 bytes, and `PUSH_UPDATE` with its NUL. */
const SPLIT_BYTES = 1024 - 84 - (PUSH_UPDATE.length + 1);

/**
 * The messages of one update. Undefined without options, or when one option is too long.
 * @param limit most bytes of options in a message.
 */
export function buildPushUpdates(
  options: string,
  limit: number = SPLIT_BYTES,
): readonly string[] | undefined {
  const items = options.split(',');
  if (options === '' || items.some((item) => Buffer.byteLength(item) > limit)) return undefined;
  const parts: string[] = [];
  let part = '';
  for (const item of items) {
    const longer = part === '' ? item : `${part},${item}`;
    if (Buffer.byteLength(longer) <= limit) {
      part = longer;
      continue;
    }
    parts.push(`${PUSH_UPDATE},${part},push-continuation 2`);
    part = item;
  }
  parts.push(`${PUSH_UPDATE},${part}${parts.length > 0 ? ',push-continuation 1' : ''}`);
  return parts;
}

/** What an update says of one family's address: a new one, none any more, or nothing. */
export type AddressChange =
  | { readonly type: 'set'; readonly words: readonly string[] }
  | { readonly type: 'removed' }
  | undefined;

/** The last word of an update about `ifconfig` and `ifconfig-ipv6`. */
export function addressChanges(options: string): { readonly v4: AddressChange; readonly v6: AddressChange } {
  let v4: AddressChange;
  let v6: AddressChange;
  for (const item of options.split(',')) {
    const [name = '', ...words] = item
      .trim()
      .replace(/^-?\??/, '')
      .split(/\s+/);
    const change: AddressChange = /^\s*-/.test(item) ? { type: 'removed' } : { type: 'set', words };
    if (name === 'ifconfig') v4 = change;
    if (name === 'ifconfig-ipv6') v6 = change;
  }
  return { v4, v6 };
}
