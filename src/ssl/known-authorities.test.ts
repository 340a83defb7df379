import { X509Certificate } from 'node:crypto';
import { afterAll, expect, it } from 'vitest';
import { TestPki } from '../../test-kit/tls-pki.ts';
import { describeChain, KnownAuthorities } from './peer-certificates-node.ts';

const pki = new TestPki();
afterAll(() => pki.close());

function der(pem: string): Buffer {
  return Buffer.from(new X509Certificate(pem).raw);
}

it('describes an authority once, and every client anew', () => {
  const authorities = new KnownAuthorities();
  const [one, two] = ['/CN=one', '/CN=two'].map((subject) => der(pki.issue({ subject }).cert));
  const ca = der(pki.ca.cert);
  const first = describeChain([one!, ca], authorities);
  const second = describeChain([two!, Buffer.from(ca)], authorities);
  expect(second[1]).toBe(first[1]);
  expect([first[0]!.subject, second[0]!.subject]).toEqual(['CN=one', 'CN=two']);
  expect(describeChain([one!], authorities)[0]).not.toBe(first[0]);
  // The depth is part of what is described.
  const third = describeChain([one!, two!, ca], authorities);
  expect(third.map(({ depth }) => depth)).toEqual([0, 1, 2]);
});

it('keeps few of them, and no long ones', () => {
  const authorities = new KnownAuthorities();
  const ca = der(pki.ca.cert);
  const kept = describeChain([ca, ca], authorities)[1];
  const others = Array.from({ length: 8 }, (_, i) => der(pki.issue({ subject: `/CN=authority ${i}` }).cert));
  for (const other of others) describeChain([ca, other], authorities);
  expect(describeChain([ca, ca], authorities)[1]).not.toBe(kept);
  const long = der(pki.issue({ subject: '/CN=long', extensions: [`nsComment=${'x'.repeat(4_096)}`] }).cert);
  expect(describeChain([ca, long], authorities)[1]).not.toBe(describeChain([ca, long], authorities)[1]);
});
