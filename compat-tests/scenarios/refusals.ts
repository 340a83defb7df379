/** Ends that must not get a tunnel; our side says why in 2.x's words. */
import type { Bed, Role, StartOptions } from '../bed.ts';
import type { Scenario } from './scenario.ts';

/** What makes the end wrong, and what each end has to say about it. */
interface Refusal extends Pick<Scenario, 'peerServerFrom'> {
  readonly name: string;
  readonly tunnel?: Scenario['tunnel'];
  readonly client?: readonly string[];
  readonly server?: readonly string[];
  readonly options?: StartOptions;
  /** The client uses another key file than the server. */
  readonly wrongKey?: 'tls-auth' | 'tls-crypt';
  readonly says: Readonly<Partial<Record<Role, RegExp>>>;
}

const HANDSHAKE_FAILED = /TLS Error: TLS handshake failed/;
const NO_ANSWER = /TLS Error: TLS key negotiation failed to occur within 3 seconds/;
const UNTRUSTED =
  /VERIFY ERROR: depth=[01], error=(self-signed certificate in certificate chain|unable to get local issuer certificate): /;
/** 2.x drops a refused session without a word to the other end, which then waits in vain. */
const SHORT_WAIT = ['hand-window 3'];

const REFUSALS: readonly Refusal[] = [
  {
    name: 'server of an authority the client does not trust',
    options: { ca: 'wrongCa' },
    says: { client: UNTRUSTED },
  },
  {
    name: 'client of an authority the server does not trust',
    client: SHORT_WAIT,
    options: { identity: 'stranger' },
    says: { server: UNTRUSTED, client: NO_ANSWER },
  },
  {
    name: 'client of an authority the server does not trust, TLS 1.2',
    tunnel: { tls: '1.2' },
    client: SHORT_WAIT,
    options: { identity: 'stranger' },
    says: { server: UNTRUSTED, client: NO_ANSWER },
  },
  {
    name: 'expired client certificate',
    options: { identity: 'expired' },
    says: { server: /VERIFY ERROR: depth=0, error=certificate has expired: .*CN=expired/ },
  },
  {
    name: 'server name is not the one the client wants',
    client: ['verify-x509-name other-server name'],
    says: { client: /VERIFY X509NAME ERROR: .*CN=server, must be other-server/ },
  },
  {
    name: 'wrong tls-crypt key',
    tunnel: { wrap: 'none' },
    wrongKey: 'tls-crypt',
    client: SHORT_WAIT,
    says: { server: /TLS Error: tls-crypt unwrapping failed from \[AF_INET\]/, client: NO_ANSWER },
  },
  {
    name: 'wrong tls-auth key',
    tunnel: { wrap: 'none' },
    wrongKey: 'tls-auth',
    client: SHORT_WAIT,
    says: { server: /TLS Error: incoming packet authentication failed from \[AF_INET\]/, client: NO_ANSWER },
  },
  {
    name: 'tls-crypt at the server, none at the client',
    tunnel: { wrap: 'none' },
    wrongKey: 'tls-crypt',
    client: SHORT_WAIT,
    says: { server: /TLS Error: tls-crypt unwrapping failed from \[AF_INET\]/, client: NO_ANSWER },
  },
  {
    name: 'no common data cipher',
    // A server of 2.4 pushes its cipher to whomever.
    peerServerFrom: '2.5',
    client: ['data-ciphers AES-256-GCM'],
    server: ['data-ciphers AES-128-GCM'],
    says: {
      server: /PUSH: No common cipher between server and client/,
      client:
        /AUTH: Received control message: AUTH_FAILED,Data channel cipher negotiation failed \(no shared cipher\)/,
    },
  },
  {
    name: 'no common TLS version',
    client: ['tls-version-max 1.2', 'tls-version-min 1.2', ...SHORT_WAIT],
    server: ['tls-version-min 1.3', 'tls-version-max 1.3'],
    // Whether the server's alert gets out before the session is dropped is its own affair.
    says: { server: HANDSHAKE_FAILED, client: /TLS Error: TLS (handshake failed|key negotiation failed)/ },
  },
];

export const refusals: readonly Scenario[] = REFUSALS.map((refusal) => ({
  name: `refused: ${refusal.name}`,
  ...(refusal.tunnel ? { tunnel: refusal.tunnel } : {}),
  ...(refusal.peerServerFrom ? { peerServerFrom: refusal.peerServerFrom } : {}),
  run: (bed: Bed) => run(bed, refusal),
}));

async function run(bed: Bed, refusal: Refusal): Promise<void> {
  const before = bed.snapshot(bed.client().ns);
  const keys = keyLines(refusal);
  const server = await bed.startServer([...(refusal.server ?? []), ...keys.server]);
  const client = bed.launchClient([...(refusal.client ?? []), ...keys.client], refusal.options);
  await bed.checkNoTunnel(client, server, refusal.says);
  await client.stop();
  bed.checkClean(bed.client().ns, before);
}

function keyLines(refusal: Refusal): { server: string[]; client: string[] } {
  const kind = refusal.wrongKey;
  if (kind === undefined) return { server: [], client: [] };
  const none = refusal.name.includes('none at the client');
  const [forServer, forClient] = kind === 'tls-auth' ? [' 0', ' 1'] : ['', ''];
  return {
    server: [`${kind} wrap.key${forServer}`],
    client: none ? [] : [`${kind} other-wrap.key${forClient}`],
  };
}
