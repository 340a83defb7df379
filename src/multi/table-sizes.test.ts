/** Which table sizes are refused, and how many copies may wait. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../options/options.ts';
import { checkTableSizes, copyBuffers } from './table-sizes.ts';

const SERVER = 'dev tun\nserver 10.8.0.0 255.255.255.0\nca f\ncert f\nkey f\ndh none\n';
const options = (lines: string) => parseConfig(`${SERVER}${lines}\n`).options;

describe('table sizes', () => {
  it.each(['bcast-buffers 99999999999', 'bcast-buffers 2000000000', 'hash-size 1000000000 1'])(
    '%s is refused in the words of 2.x',
    (lines) => {
      expect(() => checkTableSizes(options(lines))).toThrow(
        'attempted allocation of excessively large array',
      );
    },
  );

  it.each(['', 'bcast-buffers 100000', 'hash-size 65536 65536'])('%j is taken', (lines) => {
    expect(() => checkTableSizes(options(lines))).not.toThrow();
  });

  it('gives copies no more places than memory is for', () => {
    expect([copyBuffers(options('')), copyBuffers(options('bcast-buffers 100000000'))]).toEqual([
      256, 16_384,
    ]);
  });
});
