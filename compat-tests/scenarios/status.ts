/** Status files of versions 1 to 3 on a server, and a client's statistics file, while connected. */
import type { Bed } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const DATE = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;

/** Line patterns, in order, for each version; "," stands for the version's separator. */
const SERVER_FILES: Readonly<Record<number, readonly string[]>> = {
  1: [
    'OpenVPN CLIENT LIST',
    `Updated,${DATE}`,
    'Common Name,Real Address,Bytes Received,Bytes Sent,Connected Since',
    String.raw`client1,10\.99\.0\.2:\d+,\d+,\d+,${DATE}`,
    'ROUTING TABLE',
    'Virtual Address,Common Name,Real Address,Last Ref',
    String.raw`(10\.8\.0\.2|fd00:8::1000),client1,10\.99\.0\.2:\d+,${DATE}`,
    String.raw`(10\.8\.0\.2|fd00:8::1000),client1,10\.99\.0\.2:\d+,${DATE}`,
    'GLOBAL STATS',
    String.raw`Max bcast/mcast queue length,\d+`,
    'END',
  ],
  2: [
    String.raw`TITLE,OpenVPN 2\.\d+\.\d+ .*`,
    String.raw`TIME,${DATE},\d+`,
    'HEADER,CLIENT_LIST,Common Name,Real Address,Virtual Address,Virtual IPv6 Address,Bytes Received,Bytes Sent,' +
      String.raw`Connected Since,Connected Since \(time_t\),Username,Client ID,Peer ID,Data Channel Cipher`,
    String.raw`CLIENT_LIST,client1,10\.99\.0\.2:\d+,10\.8\.0\.2,fd00:8::1000,\d+,\d+,${DATE},\d+,UNDEF,0,0,AES-256-GCM`,
    String.raw`HEADER,ROUTING_TABLE,Virtual Address,Common Name,Real Address,Last Ref,Last Ref \(time_t\)`,
    String.raw`ROUTING_TABLE,(10\.8\.0\.2|fd00:8::1000),client1,10\.99\.0\.2:\d+,${DATE},\d+`,
    String.raw`ROUTING_TABLE,(10\.8\.0\.2|fd00:8::1000),client1,10\.99\.0\.2:\d+,${DATE},\d+`,
    String.raw`GLOBAL_STATS,Max bcast/mcast queue length,\d+`,
    'GLOBAL_STATS,dco_enabled,0',
    'END',
  ],
};

const CLIENT_FILE = [
  'OpenVPN STATISTICS',
  `Updated,${DATE}`,
  String.raw`TUN/TAP read bytes,[1-9]\d*`,
  String.raw`TUN/TAP write bytes,[1-9]\d*`,
  String.raw`TCP/UDP read bytes,[1-9]\d*`,
  String.raw`TCP/UDP write bytes,[1-9]\d*`,
  String.raw`Auth read bytes,[1-9]\d*`,
  'END',
];

export const status: readonly Scenario[] = [
  ...[1, 2, 3].map((version) => ({
    name: `status file version ${version} of a server`,
    pairings: ['ours-server'] as const,
    run: (bed: Bed) => serverFile(bed, version),
  })),
  { name: 'status file of a client', pairings: ['ours-client'], run: clientFile },
];

async function serverFile(bed: Bed, version: number): Promise<void> {
  await bed.startServer(['status status.txt 1', `status-version ${version}`]);
  await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  const separator = version === 3 ? '\t' : ',';
  const wanted = SERVER_FILES[Math.min(version, 2)]!.map((line) => line.replaceAll(',', separator));
  await bed.waitForText('status.txt', wholeFile(wanted));
}

async function clientFile(bed: Bed): Promise<void> {
  await bed.startServer();
  await bed.startClient(['status status.txt 1']);
  await bed.checkPing(INNER_SERVER4);
  await bed.waitForText('status.txt', wholeFile(CLIENT_FILE));
}

/** The file is written anew every second: the first one with traffic in it may be some seconds away. */
function wholeFile(lines: readonly string[]): RegExp {
  return new RegExp(`^${lines.join('\\n')}\\n$`);
}
