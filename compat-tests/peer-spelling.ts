/**
 * Configuration lines as other versions spell them. Tests are written in the language of 2.6; what has another name
 * in an older version is said that way, and what its default already says is left out; what 2.7 wants to be asked for
 * twice is. Features that a version lacks are no matter of spelling: their tests are limited to other peers.
 */
import { isBefore, type Peer } from './peer.ts';

/** `lines` for a peer of this version, in the same order. */
export function spellFor(peer: Peer, lines: readonly string[]): readonly string[] {
  if (peer.kind !== 'openvpn') return lines;
  if (!isBefore(peer, '2.7')) return spellFor27(lines);
  if (!isBefore(peer, '2.5')) return lines;
  const hasCipher = lines.some((line) => line.startsWith('cipher '));
  return lines.flatMap((line) => spellFor24(line, hasCipher));
}

/** 2.7 makes tunnels without TLS only when a line insists on it. */
function spellFor27(lines: readonly string[]): readonly string[] {
  const tls = /^(tls-server|tls-client|client|server|server-bridge|mode server)\b/;
  if (lines.some((line) => tls.test(line))) return lines;
  return [...lines, 'allow-deprecated-insecure-static-crypto'];
}

/** 2.4 has one cipher and a list for negotiation, and takes compressed packets without being allowed to. */
function spellFor24(line: string, hasCipher: boolean): string[] {
  const [option, value = ''] = line.split(' ');
  switch (option) {
    case 'data-ciphers': {
      const [first = ''] = value.split(':');
      // "none" is no word of the list.
      const list = first === 'none' ? 'ncp-disable' : `ncp-ciphers ${value}`;
      return hasCipher ? [list] : [`cipher ${first}`, list];
    }
    case 'data-ciphers-fallback':
      return [`cipher ${value}`];
    case 'allow-compression':
      return [];
    default:
      return [line];
  }
}
