/** The banner names what is installed, no more and no less. */
import { describe, expect, it } from 'vitest';
import { createNodeCompression } from '../comp/comp-node.ts';
import { loadNative } from '../native/native.ts';
import { bannerFeatures } from './features.ts';

describe('bannerFeatures', () => {
  it('names exactly the compression packages that load', () => {
    const library = createNodeCompression();
    const features = bannerFeatures();
    expect(features.includes('LZO')).toBe(library.load('lzo') !== undefined);
    expect(features.includes('LZ4')).toBe(library.load('lz4') !== undefined);
  });

  it("keeps 2.x's order and leaves out what is missing", () => {
    const known = ['SSL (OpenSSL)', 'LZO', 'LZ4', 'EPOLL', 'MH/PKTINFO', 'AEAD'];
    const features = bannerFeatures();
    expect(features).toEqual(known.filter((word) => features.includes(word)));
    expect(features.includes('MH/PKTINFO')).toBe(loadNative() !== undefined);
    expect(features).toEqual(expect.arrayContaining(['SSL (OpenSSL)', 'EPOLL', 'AEAD']));
  });
});
