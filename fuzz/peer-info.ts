/**
 * Fuzz entry: any bytes as what a peer says of itself: IV_ lines, split by the first NUL from its options
 * string. Memory stays bounded, and a server picks one of its own ciphers or none.
 */
import { compareOptions } from '../src/ssl/options-compare.ts';
import { parsePeerInfo } from '../src/ssl/ssl.ts';
import { negotiateServerCipher, pickClientCipher } from '../src/ssl/ssl-ncp.ts';

const OWN = ['AES-256-GCM', 'AES-128-GCM', 'CHACHA20-POLY1305'];
const EXPECTED = 'V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto UDPv4,auth SHA1,key-method 2,tls-client';
/** Warnings that a string can bring at most: each item, and the note. */
const MOST_WARNINGS = 140;
const MOST_LINES = 128;

export const target = {
  name: 'peer-info',
  corpus: [
    Buffer.from(`IV_VER=2.6.14\nIV_PROTO=990\nIV_NCP=2\nIV_CIPHERS=AES-256-GCM:AES-128-GCM\n\0${EXPECTED}`),
    Buffer.from('IV_VER=2.4.0\nIV_NCP=2\nIV_MTU=1600\nUV_X=1\n\0V4,cipher AES-128-GCM,cipher [null-cipher]'),
  ],
  run(bytes: Uint8Array): void {
    const [info = '', remoteOptions = ''] = Buffer.from(bytes).toString('utf8').split('\0');
    const peerInfo = parsePeerInfo(info);
    for (const value of [peerInfo.proto, peerInfo.ncp, peerInfo.mtu]) {
      if (!Number.isInteger(value) || value < 0 || value > 0x7fffffff)
        throw new Error(`a bad number ${value}`);
    }
    for (const [name, value] of peerInfo.values) {
      if (name === '' || `${name}${value}`.includes('\n')) throw new Error('a line was split badly');
    }
    const { shown } = peerInfo;
    if (shown.lines.length + shown.invalid > MOST_LINES) throw new Error('too many lines are shown');
    for (const [name, value] of shown.lines) {
      if (!/^[IU]V_\w*$/.test(name) || !/^[!-~]*$/.test(value) || /[$(`]/.test(value))
        throw new Error(`shown: ${name}=${value}`);
    }
    const inputs = { dataCiphers: OWN, fallback: undefined, remoteOptions };
    const { cipher } = negotiateServerCipher({ ...inputs, peerInfo });
    if (cipher !== undefined && !OWN.includes(cipher)) throw new Error(`picked ${cipher}`);
    const client = pickClientCipher({ ...inputs, pushed: info.split('\n')[0] });
    if (client.cipher !== undefined && !OWN.includes(client.cipher)) throw new Error(`took ${client.cipher}`);
    const warnings = compareOptions(EXPECTED, remoteOptions);
    if (warnings.length > MOST_WARNINGS) throw new Error(`${warnings.length} warnings`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (warnings.some((line) => /[\x00-\x1f\x7f]/.test(line))) throw new Error('a control character');
  },
};
