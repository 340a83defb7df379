/**
 * Fuzz entry: any bytes as the start of a connection to a port that is shared. The verdict comes with the third byte
 * at the latest and doesn't change; what is for OpenVPN begins with a length that its resets have.
 */
import { isOpenVpnStart } from '../src/socket/port-share.ts';

export const target = {
  name: 'port-share',
  run(bytes: Uint8Array): void {
    const verdict = isOpenVpnStart(bytes);
    if ((verdict === undefined) !== bytes.length < 2) throw new Error('no verdict, or one too early');
    if (isOpenVpnStart(bytes.subarray(0, 3)) !== verdict) throw new Error('later bytes change the verdict');
    const length = bytes.length < 2 ? 0 : (bytes[0]! << 8) | bytes[1]!;
    if (verdict && (length < 14 || length >= 1279)) throw new Error('not the length of a reset');
  },
};
