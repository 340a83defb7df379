/** What scripts of a server see of a client. */
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { TestPki } from '../../test-kit/tls-pki.ts';
import { newLinkCounters } from '../forward/forward.ts';
import { EnvSet, setCertificate, setPeerAddress } from '../script/script.ts';
import { type PeerCertificate, parsePeerInfo } from '../ssl/ssl.ts';
import { setConnection, setIdentity, setTotals } from './client-env.ts';
import type { MultiInstance } from './multi-instance.ts';

const CERTIFICATE: PeerCertificate = {
  depth: 0,
  der: certificateDer('/C=DE/O=Example/OU=One/OU=Two, three/CN=alice'),
  subject: 'C=DE, O=Example, CN=alice',
  issuer: 'CN=Test CA',
  commonName: 'alice',
  serial: '291',
  notBefore: 0,
  notAfter: 0,
  sha1: 'aabbcc',
  sha256: '001122',
  keyUsage: undefined,
  extendedKeyUsage: undefined,
};

describe('client environment', () => {
  it('has the parts of a certificate by depth', () => {
    const env = new EnvSet();
    setCertificate(env, CERTIFICATE, undefined);
    setCertificate(env, CERTIFICATE, undefined);
    expect(env.snapshot(2)).toEqual({
      X509_0_C: 'DE',
      X509_0_O: 'Example',
      X509_0_OU: 'One',
      X509_0_OU_1: 'Two, three',
      X509_0_CN: 'alice',
      tls_id_0: 'C=DE, O=Example, CN=alice',
      tls_digest_0: 'aa:bb:cc',
      tls_digest_sha256_0: '00:11:22',
      tls_serial_0: '291',
      tls_serial_hex_0: '01:23',
    });
  });

  it('has of a certificate what is tracked instead, of the whole chain where asked', () => {
    const env = new EnvSet();
    const tracked = [
      { name: 'CN', chain: false },
      { name: 'O', chain: true },
    ];
    const authority = { ...CERTIFICATE, depth: 1 };
    setCertificate(env, authority, tracked);
    setCertificate(env, CERTIFICATE, tracked);
    const names = () => [...env.entries()].map(([name]) => name).filter((name) => name.startsWith('X509'));
    expect(names()).toEqual(['X509_1_O', 'X509_0_CN', 'X509_0_O']);
    setCertificate(env, authority, tracked);
    expect(names()).toEqual(['X509_1_O']);
  });

  it('has addresses of either family', () => {
    const env = new EnvSet();
    setPeerAddress(env, 'untrusted', { family: 4, address: '192.0.2.7', port: 4000 });
    setPeerAddress(env, 'trusted', { family: 6, address: '2001:db8::7', port: 5000 });
    expect(env.snapshot(2)).toEqual({
      untrusted_ip: '192.0.2.7',
      untrusted_port: '4000',
      trusted_ip6: '2001:db8::7',
      trusted_port: '5000',
    });
  });

  it('has IV_ and UV_ lines of the peer, and nothing else that it says', () => {
    const env = new EnvSet();
    const said = 'IV_VER=2.6.14\nUV_SITE=home office\nPATH=/evil\nLD_PRELOAD=/evil.so\nIV_EVIL\u0007=x\n';
    const named = { commonName: 'alice', username: '', name: 'alice' };
    const identity = { ...named, peerInfo: parsePeerInfo(said), options: '', chain: [CERTIFICATE] };
    setIdentity(env, identity, { family: 4, address: '192.0.2.7', port: 4000 }, undefined);
    expect(env.get('IV_VER')).toBe('2.6.14');
    expect(env.get('UV_SITE')).toBe('home_office');
    expect(env.has('PATH')).toBe(false);
    expect(env.has('LD_PRELOAD')).toBe(false);
    expect(env.get('common_name')).toBe('alice');
    expect(env.get('X509_0_CN')).toBe('alice');
    for (const [name] of env.entries()) expect(name).toMatch(/^\w+$/);
  });

  it('has the tunnel addresses, and forgets those that a client lost', () => {
    const env = new EnvSet();
    const instance = fakeInstance({ local4: '10.8.0.2', remoteNetmask4: '255.255.255.0', local6: 'fd00::2' });
    setConnection(env, instance, true);
    expect(env.snapshot(2)).toMatchObject({
      trusted_ip: '192.0.2.7',
      ifconfig_pool_remote_ip: '10.8.0.2',
      ifconfig_pool_netmask: '255.255.255.0',
      ifconfig_pool_remote_ip6: 'fd00::2',
      time_unix: '1700000000',
    });
    expect(env.get('time_ascii')).toMatch(/^2023-11-1\d \d\d:\d\d:20$/);
    setConnection(env, fakeInstance({}), true);
    expect(env.has('ifconfig_pool_remote_ip')).toBe(false);
    setConnection(env, fakeInstance({ local4: '10.8.0.6', remoteNetmask4: '10.8.0.5' }), false);
    expect(env.get('ifconfig_pool_local_ip')).toBe('10.8.0.5');
  });

  it('has totals at the end, with a duration that is never negative', () => {
    const env = new EnvSet();
    const instance = fakeInstance({});
    instance.counters.linkReadBytes = 77;
    instance.counters.linkWriteBytes = 88;
    setTotals(env, instance, 1_700_000_012_900);
    expect(env.snapshot(2)).toEqual({ bytes_received: '77', bytes_sent: '88', time_duration: '12' });
    setTotals(env, instance, 1);
    expect(env.get('time_duration')).toBe('0');
  });
});

function certificateDer(subject: string): Uint8Array {
  const pki = new TestPki();
  const { cert } = pki.issue({ subject });
  pki.close();
  return new X509Certificate(cert).raw;
}

function fakeInstance(addresses: MultiInstance['addresses']): MultiInstance {
  const fake = {
    addresses,
    remote: { family: 4, address: '192.0.2.7', port: 4000 },
    connectedWallMs: 1_700_000_000_000,
    counters: newLinkCounters(),
  };
  return fake as unknown as MultiInstance;
}
