/**
 * What this installation can do, in the words of 2.x's banner (options.c title_string). Programs look
 * there for LZO, LZ4 or AEAD before they write a configuration.
 */
import { installedCompression } from '../comp/comp-node.ts';
import { loadNative } from '../native/native.ts';

/** The words between square brackets, in 2.x's order. Loads no compression package. */
export function bannerFeatures(): string[] {
  const compression = installedCompression().map((name) => name.toUpperCase());
  const multihome = loadNative() === undefined ? [] : ['MH/PKTINFO'];
  return ['SSL (OpenSSL)', ...compression, 'EPOLL', ...multihome, 'AEAD'];
}
