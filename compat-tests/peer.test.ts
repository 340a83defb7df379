import { describe, expect, it } from 'vitest';
import { compareVersions, fits, type Peer, parsePeer, playsIn } from './peer.ts';

const peer = (version: string): Peer => parsePeer(`OpenVPN ${version} [git:HEAD/0] x86_64-pc-linux-gnu\n`);

describe('what a peer is', () => {
  it('is told by the first line of --version', () => {
    expect(peer('2.6.14')).toEqual({ kind: 'openvpn', title: '2.6.14', version: [2, 6, 14] });
    expect(peer('2.8_git')).toEqual({ kind: 'openvpn', title: '2.8_git', version: [2, 8] });
    expect(parsePeer('OpenVPN cli 1.0\nOpenVPN core 3.11.7 linux x86_64\n').kind).toBe('openvpn3-client');
    expect(parsePeer('sh: not found').title).toBe('unknown');
  });

  it('decides its pairings: a client of OpenVPN 3 is never a server', () => {
    expect(playsIn(parsePeer('OpenVPN 3'), 'ours-client')).toBe(false);
    expect(playsIn(parsePeer('OpenVPN 3'), 'ours-server')).toBe(true);
    expect(playsIn(peer('2.4.12'), 'ours-client')).toBe(true);
  });
});

describe('limits of a test', () => {
  it('compare versions as numbers', () => {
    expect(compareVersions([2, 10], [2, 9, 1])).toBeGreaterThan(0);
    expect(compareVersions([2, 7], [2, 7, 0])).toBe(0);
    expect(fits({ peerFrom: '2.7' }, peer('2.10.1'), 'ours-server')).toBe(true);
    expect(fits({ peerFrom: '2.7' }, peer('2.6.14'), 'ours-server')).toBe(false);
    expect(fits({ peerFrom: '2.7' }, peer('2.7.0'), 'ours-server')).toBe(true);
    expect(fits({ peerBefore: '2.7' }, peer('2.7.6'), 'ours-server')).toBe(false);
    expect(fits({ peerBefore: '2.7' }, peer('2.6.14'), 'ours-server')).toBe(true);
    expect(fits({ peerFrom: '2.5', peerBefore: '2.7' }, peer('2.8_git'), 'ours-server')).toBe(false);
  });

  it('may ask other versions of a server than of a client', () => {
    const limits = { peerServerFrom: '2.6', peerClientFrom: '2.5' };
    expect(fits(limits, peer('2.5.9'), 'ours-client')).toBe(false);
    expect(fits(limits, peer('2.5.9'), 'ours-server')).toBe(true);
    expect(fits(limits, peer('2.4.12'), 'ours-server')).toBe(false);
    expect(fits(limits, peer('2.4.12'), 'ours-both')).toBe(true);
  });

  it('name the kinds of peers: without a word only openvpn', () => {
    const three = parsePeer('OpenVPN 3');
    expect(fits({}, three, 'ours-server')).toBe(false);
    expect(fits({ peerKinds: ['openvpn', 'openvpn3-client'], peerFrom: '2.7' }, three, 'ours-server')).toBe(
      true,
    );
    expect(fits({ peerKinds: ['openvpn3-client'] }, peer('2.6.14'), 'ours-server')).toBe(false);
  });

  it('let a peer pass that did not say what it is', () => {
    expect(fits({ peerFrom: '2.5' }, parsePeer(''), 'ours-server')).toBe(true);
    expect(fits({ peerBefore: '2.5' }, parsePeer(''), 'ours-server')).toBe(true);
  });
});
