/**
 * MD4 (RFC 1320), which OpenSSL 3 offers to nobody any more: NTLM hashes passwords with it. For that
 * alone; it protects nothing.
 */

/** The 16 bytes of MD4 over `data`. */
export function md4(data: Uint8Array): Buffer {
  const padded = pad(data);
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  const words = new Array<number>(16);
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) words[i] = padded.readInt32LE(at + 4 * i);
    addBlock(state, words);
  }
  const out = Buffer.alloc(16);
  for (const [i, word] of state.entries()) out.writeInt32LE(word | 0, 4 * i);
  padded.fill(0);
  return out;
}

/** Word order, shifts, constant and function of the three rounds. */
const ROUNDS = [
  {
    order: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    shifts: [3, 7, 11, 19],
    add: 0,
    mix: (x: number, y: number, z: number) => (x & y) | (~x & z),
  },
  {
    order: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
    shifts: [3, 5, 9, 13],
    add: 0x5a827999,
    mix: (x: number, y: number, z: number) => (x & y) | (x & z) | (y & z),
  },
  {
    order: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
    shifts: [3, 9, 11, 15],
    add: 0x6ed9eba1,
    mix: (x: number, y: number, z: number) => x ^ y ^ z,
  },
];

function addBlock(state: number[], words: readonly number[]): void {
  let [a, b, c, d] = state as [number, number, number, number];
  for (const { order, shifts, add, mix } of ROUNDS) {
    for (const [step, index] of order.entries()) {
      const sum = (a + mix(b, c, d) + words[index]! + add) | 0;
      const shift = shifts[step & 3]!;
      [a, d, c, b] = [d, c, b, (sum << shift) | (sum >>> (32 - shift))];
    }
  }
  for (const [i, word] of [a, b, c, d].entries()) state[i] = (state[i]! + word) | 0;
}

function pad(data: Uint8Array): Buffer {
  const out = Buffer.alloc((data.length + 9 + 63) & ~63);
  out.set(data);
  out[data.length] = 0x80;
  out.writeUInt32LE((data.length * 8) >>> 0, out.length - 8);
  out.writeUInt32LE(Math.floor(data.length / 2 ** 29), out.length - 4);
  return out;
}
