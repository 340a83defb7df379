/** Compression framings, allowed and refused, by configuration, by push and by --compress migrate. */
import type { Program } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4, INNER_SERVER6 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const SEND = 'allow-compression yes';
/** Long enough to be compressed, and made of a pattern that gives way. */
const BIG_PING = { count: 5, sizeBytes: 1_200 };

/** Lines on both sides, and how the client's log names the framing. */
const FRAMINGS: readonly [string, readonly string[], string][] = [
  ['comp-lzo no', [], 'stub'],
  ['comp-lzo yes', [SEND], 'lzo'],
  ['comp-lzo adaptive', [SEND], 'lzo'],
  ['compress', [], 'stub'],
  ['compress stub-v2', [], 'stubv2'],
  ['compress lzo', [SEND], 'lzo'],
  ['compress lz4', [SEND], 'lz4'],
  ['compress lz4-v2', [SEND], 'lz4v2'],
];

export const compression: readonly Scenario[] = [
  ...FRAMINGS.map(
    ([line, more, name]): Scenario => ({
      name: `${line}${more.length > 0 ? ' with allow-compression yes' : ''}`,
      run: (bed) => framing(bed, [line, ...more], name),
    }),
  ),
  {
    name: 'compress lz4 over TCP',
    tunnel: { proto: 'tcp' },
    run: (bed) => framing(bed, ['compress lz4', SEND], 'lz4'),
  },
  { name: 'compress lz4-v2 pushed to a client that allows it', run: pushed },
  { name: 'compress lz4 by client-config-dir for one client', run: oneClient },
  { name: 'comp-lzo yes pushed, comp-lzo no by client-config-dir', clients: 2, run: pushedLzo },
  { name: 'compress lz4 pushed to a client that does not allow it', peerClientFrom: '2.6', run: refused },
  { name: 'compress migrate with a comp-lzo client', peerServerFrom: '2.6', run: migrate },
];

async function framing(bed: Bed, lines: readonly string[], name: string): Promise<void> {
  await bed.startServer(lines);
  const client = await bed.startClient(lines);
  await checkFraming(bed, client, name);
  await bed.checkPing(INNER_SERVER4, BIG_PING);
  await bed.checkPing(INNER_SERVER6, BIG_PING);
  await bed.checkTraffic(4);
  if (!bed.isOurs('client') || !lines.includes(SEND)) return;
  client.signal('SIGUSR2');
  await client.waitFor(/post-compress bytes,[1-9]/);
  // 2.7 takes compressed packets and sends none.
  if (!bed.isOurs('server') && bed.knows('2.7')) return;
  const before = Number(/\d+$/.exec(await client.waitFor(/pre-decompress bytes,[1-9]/))?.[0]);
  const after = Number(/\d+$/.exec(await client.waitFor(/post-decompress bytes,[1-9]/))?.[0]);
  check(after > before, `${before} bytes were decompressed to ${after}`);
}

async function pushed(bed: Bed): Promise<void> {
  await bed.startServer([SEND, 'compress lz4-v2', 'push "compress lz4-v2"']);
  const client = await bed.startClient(['allow-compression asym']);
  await checkFraming(bed, client, 'lz4v2');
  await bed.checkPing(INNER_SERVER4, BIG_PING);
  await bed.checkTraffic(2);
}

async function oneClient(bed: Bed): Promise<void> {
  bed.write('client1', 'compress lz4\npush "compress lz4"\n');
  await bed.startServer(['allow-compression asym', `client-config-dir ${bed.dir}`]);
  const client = await bed.startClient([SEND]);
  await checkFraming(bed, client, 'lz4');
  await bed.checkPing(INNER_SERVER4, BIG_PING);
  await bed.checkTraffic(2);
}

/** The first client has framing alone, the second LZO: the server tells them apart. */
async function pushedLzo(bed: Bed): Promise<void> {
  bed.write('client1', 'comp-lzo no\npush "comp-lzo no"\n');
  bed.write('client2', 'comp-lzo yes\npush "comp-lzo yes"\n');
  await bed.startServer(['allow-compression yes', 'comp-lzo no', `client-config-dir ${bed.dir}`]);
  const first = await bed.startClient(['comp-lzo no']);
  await checkFraming(bed, first, 'stub');
  const second = await bed.startClient(['allow-compression yes', 'comp-lzo no'], {
    index: 1,
    identity: 'client2',
  });
  await checkFraming(bed, second, 'lzo');
  await bed.checkPing(INNER_SERVER4, BIG_PING);
  await bed.checkPing(INNER_SERVER4, { index: 1, ...BIG_PING });
  await bed.checkTraffic(1, 1);
}

async function refused(bed: Bed): Promise<void> {
  const server = await bed.startServer(['allow-compression asym', 'compress lz4', 'push "compress lz4"']);
  const client = bed.launchClient();
  await client.waitFor(/Compression is not allowed since allow-compression is set to 'stub-only'/);
  await client.waitFor(/OPTIONS ERROR: server pushed compression settings that are not allowed/);
  await client.waitFor(/SIGUSR1\[soft,process-push-msg-failed\] received, process restarting/);
  await bed.checkNoTunnel(client, server, {});
}

async function migrate(bed: Bed): Promise<void> {
  const server = await bed.startServer(['compress migrate', 'verb 4']);
  const client = await bed.startClient(['comp-lzo', 'verb 4']);
  await server.waitFor(/PUSH_REPLY.*,compress stub-v2/);
  await checkFraming(bed, client, 'stubv2');
  await bed.checkTraffic(2);
}

/** Debian's 2.6.14 doesn't log what its data channel came to. */
async function checkFraming(bed: Bed, client: Program, name: string): Promise<void> {
  const wanted = new RegExp(`Data Channel: cipher '[^']+'.*, compression: '${name}'`);
  if (bed.isOurs('client')) await client.waitFor(wanted);
}
