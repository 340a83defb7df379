/** Keys and certificates as options give them: by path or inline (2.x options.h *_inline fields), and key directions. */

/** Contents of a key or certificate option: a path, or the text of an inline block. */
export type FileOrInline =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'inline'; readonly text: string };

/** -1 = bidirectional (no direction given). */
export type KeyDirection = -1 | 0 | 1;
