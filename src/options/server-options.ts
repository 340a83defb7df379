/** Fields of a server, and of each of its clients, with their defaults: see table-server.ts. */
import type { FileOrInline } from './material.ts';
import type { IfconfigIpv6 } from './tunnel-options.ts';

export interface IrouteOption {
  network: string;
  /** Prefix length; 32 for a host. */
  prefix: number;
}

export interface ServerOptions {
  mode: 'p2p' | 'server';
  server: { network: string; netmask: string; nopool: boolean } | undefined;
  serverIpv6: { network: string; netbits: number } | undefined;
  serverBridge: { ip: string; netmask: string; start: string; end: string } | 'dhcp' | 'nogw' | undefined;
  /** Texts of --push and of helpers, in the order they are sent. */
  push: string[];
  /** Inclusive range; netmask for tap and topology subnet. */
  ifconfigPool: { start: string; end: string; netmask: string | undefined } | undefined;
  ifconfigPoolPersist: { file: string; refreshSec: number } | undefined;
  /** --tcp-nodelay was given: a server pushes it too. */
  tcpNodelayHelper: boolean;
  ifconfigIpv6Pool: { base: string; netbits: number } | undefined;
  ifconfigPushConstraint: { network: string; netmask: string } | undefined;
  clientToClient: boolean;
  duplicateCn: boolean;
  maxClients: number;
  /** --port-share: where other protocols' connections go. */
  portShare: { host: string; port: string; journalDir: string | undefined } | undefined;
  maxRoutesPerClient: number;
  clientConfigDir: string | undefined;
  ccdExclusive: boolean;
  /** New connections `max` per `perSec`; 0 = off. */
  connectFreq: { max: number; perSec: number };
  connectFreqInitial: { max: number; perSec: number };
  bcastBuffers: number;
  tcpQueueLimit: number;
  hashSize: { real: number; virtual: number };
  staleRoutesCheck: { ageSec: number; intervalSec: number } | undefined;
  vlanTagging: boolean;
  /** Frames that the tap device may give. */
  vlanAccept: 'tagged' | 'untagged' | 'all';
  /** VLAN of untagged frames on the tap device, or of a client. */
  vlanPvid: number;
  verifyClientCert: 'none' | 'optional' | 'require';
  usernameAsCommonName: boolean;
  /** --auth-gen-token; lifetime 0 = unlimited. Renewal is --reneg-sec where it isn't given. */
  authGenToken: { lifetimeSec: number; renewalSec: number; externalAuth: boolean } | undefined;
  authGenTokenSecret: FileOrInline | undefined;
  authUserPassOptional: boolean;
  optVerify: boolean;

  // Per client of a server (context D)
  disable: boolean;
  iroutes: IrouteOption[];
  iroutesIpv6: IrouteOption[];
  ifconfigPush: { local: string; remoteNetmask: string; alias: string | undefined } | undefined;
  ifconfigIpv6Push: IfconfigIpv6 | undefined;
  /** push-remove ifconfig / ifconfig-ipv6: no generated line of that kind either. */
  pushIfconfigBlocked: boolean;
  pushIfconfigIpv6Blocked: boolean;
}

export function serverDefaults(): ServerOptions {
  return {
    mode: 'p2p',
    server: undefined,
    serverIpv6: undefined,
    serverBridge: undefined,
    push: [],
    ifconfigPool: undefined,
    ifconfigPoolPersist: undefined,
    tcpNodelayHelper: false,
    ifconfigIpv6Pool: undefined,
    ifconfigPushConstraint: undefined,
    clientToClient: false,
    duplicateCn: false,
    maxClients: 1024,
    portShare: undefined,
    maxRoutesPerClient: 256,
    clientConfigDir: undefined,
    ccdExclusive: false,
    connectFreq: { max: 0, perSec: 0 },
    connectFreqInitial: { max: 100, perSec: 10 },
    bcastBuffers: 256,
    tcpQueueLimit: 64,
    hashSize: { real: 256, virtual: 256 },
    staleRoutesCheck: undefined,
    vlanTagging: false,
    vlanAccept: 'all',
    vlanPvid: 1,
    verifyClientCert: 'require',
    usernameAsCommonName: false,
    authGenToken: undefined,
    authGenTokenSecret: undefined,
    authUserPassOptional: false,
    optVerify: false,
    disable: false,
    iroutes: [],
    iroutesIpv6: [],
    ifconfigPush: undefined,
    ifconfigIpv6Push: undefined,
    pushIfconfigBlocked: false,
    pushIfconfigIpv6Blocked: false,
  };
}
