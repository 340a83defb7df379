/** Fields of a client and of what it pulls with their defaults: see table-client.ts. */
import type { FileOrInline } from './material.ts';

export interface PullFilter {
  type: 'accept' | 'ignore' | 'reject';
  prefix: string;
}

export interface ClientOptions {
  client: boolean;
  pull: boolean;
  pullFilters: PullFilter[];
  pushPeerInfo: boolean;
  authUserPass: FileOrInline | 'prompt' | undefined;
  authRetry: 'none' | 'nointeract' | 'interact';
  authNocache: boolean;
  /** --static-challenge; `concat` is 2.7's other form of the answer. */
  staticChallenge: { text: string; echo: boolean; format: 'scrv1' | 'concat' } | undefined;
  askpass: string | 'prompt' | undefined;

  // Pushed protocol parameters
  /** undefined = none pushed. */
  peerId: number | undefined;
  protocolFlags: { ccExit: boolean; tlsEkm: boolean; dynTlsCrypt: boolean; epoch: boolean };
  authToken: string | undefined;
  /** Already base64-decoded. */
  authTokenUser: string | undefined;
  /** 0 none, 1 last part, 2 more parts follow. */
  pushContinuation: number;
}

export function clientDefaults(): ClientOptions {
  return {
    client: false,
    pull: false,
    pullFilters: [],
    pushPeerInfo: false,
    authUserPass: undefined,
    authRetry: 'none',
    authNocache: false,
    staticChallenge: undefined,
    askpass: undefined,
    peerId: undefined,
    protocolFlags: { ccExit: false, tlsEkm: false, dynTlsCrypt: false, epoch: false },
    authToken: undefined,
    authTokenUser: undefined,
    pushContinuation: 0,
  };
}
