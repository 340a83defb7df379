/** Hard resets that claim another message id than 0: ignored, and no reason to give up. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pair } from '../../test-kit/tls-pair-node.ts';
import { type TestCertificate, TestPki } from '../../test-kit/tls-pki.ts';
import { op } from '../reliable/reliable.ts';

let pki: TestPki;
let server: TestCertificate;
let client: TestCertificate;

beforeAll(() => {
  pki = new TestPki();
  server = pki.issue({ subject: '/CN=server', extensions: ['extendedKeyUsage=serverAuth'] });
  client = pki.issue({ subject: '/CN=client1', extensions: ['extendedKeyUsage=clientAuth'] });
});
afterAll(() => pki.close());

describe('resets with another message id than 0', () => {
  for (const tcp of [false, true]) {
    it(`stand in nobody's place (${tcp ? 'TCP' : 'UDP'})`, async () => {
      const pair = new Pair({ pki, server, client, both: { tcp } });
      pair.bend = (packet) => {
        const opcode = packet[0]! >>> 3;
        if (!op.isHardReset(opcode)) return [packet];
        const bogus = packet.slice();
        bogus[opcode === op.P_CONTROL_HARD_RESET_SERVER_V2 ? 25 : 13] = 1;
        return [bogus, packet, bogus];
      };
      await pair.connect();
      expect(pair.tunnelWorks).toBe(true);
      expect(pair.server.events.map((event) => event.type)).not.toContain('error');
      expect(pair.server.log.lines).toContain(
        'TLS Error: received P_CONTROL_HARD_RESET_CLIENT_V2 with packet id 1 from [AF_INET]192.0.2.7:40000 -- 0 was expected, ignoring packet',
      );
      pair.close();
    });
  }
});
