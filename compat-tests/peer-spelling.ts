/**
 * Configuration lines as older peers spell them. Tests are written in the language of 2.6; what has another name in
 * an older version is said that way, and what its default already says is left out. Features that an older version
 * lacks are no matter of spelling: their tests are limited to newer peers.
 */
import { isBefore, type Peer } from './peer.ts';

/** `lines` for a peer of this version, in the same order. */
export function spellFor(peer: Peer, lines: readonly string[]): readonly string[] {
  if (peer.kind !== 'openvpn' || !isBefore(peer, '2.5')) return lines;
  const hasCipher = lines.some((line) => line.startsWith('cipher '));
  return lines.flatMap((line) => spellFor24(line, hasCipher));
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
