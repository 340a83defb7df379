/** Wrong configurations: the same message and exit code as the peer's, and no device or route left. */

import { describeExit, runProgram } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import type { Scenario } from './scenario.ts';

/** Lines added to a working client configuration; each makes it wrong. */
const CLIENT_ERRORS: readonly string[] = [
  'no-such-option 1',
  'remote',
  'proto carrier-pigeon',
  'cipher NO-SUCH-CIPHER',
  'data-ciphers NO-SUCH-CIPHER',
  'tls-version-min 9.9',
  'topology ring',
  'mode server',
  'ca /nonexistent/ca.crt',
  'tls-auth /nonexistent/ta.key',
  'up /nonexistent/up.sh',
  'keepalive 10',
  'ifconfig-pool 10.8.0.1',
  'server 10.8.0.1 255.255.255.0',
];

export const configErrors: readonly Scenario[] = CLIENT_ERRORS.map((line) => ({
  name: `wrong configuration: ${line}`,
  pairings: ['ours-client'] as const,
  // Words and codes are those of 2.6.
  peerFrom: '2.6',
  peerBefore: '2.7',
  run: (bed: Bed) => sameRefusal(bed, line),
}));

async function sameRefusal(bed: Bed, line: string): Promise<void> {
  const { ns } = bed.client();
  const before = bed.snapshot(ns);
  const identity = `ca ${bed.pki.ca}\ncert ${bed.pki.client1.cert}\nkey ${bed.pki.client1.key}`;
  const base = `client\ndev tun\nproto udp4\nremote 10.99.0.1 1194\nnobind\n${identity}\n`;
  const file = bed.write('wrong.conf', `${base}${line}\n`);
  const [ours, peer] = await Promise.all([refuse(bed, 'ours', file, ns), refuse(bed, 'peer', file, ns)]);
  check(
    ours.code === peer.code,
    `exit code ${ours.code}, the peer's ${peer.code}\n${ours.text}\n${peer.text}`,
  );
  const same = JSON.stringify(ours.errors) === JSON.stringify(peer.errors);
  check(
    same,
    `ours says:\n${ours.errors.join('\n')}\nthe peer says:\n${peer.errors.join('\n')}\n${ours.text}`,
  );
  bed.checkClean(ns, before);
}

async function refuse(bed: Bed, which: 'ours' | 'peer', file: string, ns: string) {
  const argv = [bed.programs[which], '--suppress-timestamps', '--config', file];
  const program = await runProgram({ name: which, argv, ns, cwd: bed.dir }, 15_000);
  const status = program.ended;
  const errors = program.lines.filter((text) => /^Options error: /.test(text));
  return { code: status?.code, errors, text: `${status ? describeExit(status) : ''}\n${program.tail(8)}` };
}
