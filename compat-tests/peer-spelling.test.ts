import { describe, expect, it } from 'vitest';
import { parsePeer } from './peer.ts';
import { spellFor } from './peer-spelling.ts';

const LINES = ['dev tun', 'data-ciphers AES-256-CBC:AES-128-GCM', 'allow-compression yes', 'verb 3'];

describe('lines for a peer', () => {
  it('stay as they are from 2.5 on', () => {
    expect(spellFor(parsePeer('OpenVPN 2.5.9 x'), LINES)).toEqual(LINES);
    expect(spellFor(parsePeer('OpenVPN 2.6.14 x'), LINES)).toEqual(LINES);
  });

  it('insist on a tunnel without TLS from 2.7 on', () => {
    const insisting = [...LINES, 'allow-deprecated-insecure-static-crypto'];
    expect(spellFor(parsePeer('OpenVPN 2.7.6 x'), LINES)).toEqual(insisting);
    expect(spellFor(parsePeer('OpenVPN 2.10.0 x'), LINES)).toEqual(insisting);
    for (const role of ['client', 'tls-client', 'server 10.8.0.0 255.255.255.0', 'mode server'])
      expect(spellFor(parsePeer('OpenVPN 2.8_git x'), [...LINES, role])).toEqual([...LINES, role]);
  });

  it('name one cipher and a list for 2.4', () => {
    expect(spellFor(parsePeer('OpenVPN 2.4.12 x'), LINES)).toEqual([
      'dev tun',
      'cipher AES-256-CBC',
      'ncp-ciphers AES-256-CBC:AES-128-GCM',
      'verb 3',
    ]);
    const both = ['cipher AES-256-CBC', 'data-ciphers AES-128-GCM'];
    expect(spellFor(parsePeer('OpenVPN 2.4.12 x'), both)).toEqual([both[0], 'ncp-ciphers AES-128-GCM']);
    expect(spellFor(parsePeer('OpenVPN 2.4.12 x'), ['data-ciphers none'])).toEqual([
      'cipher none',
      'ncp-disable',
    ]);
  });
});
