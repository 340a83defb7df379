/** Fields of the tunnel device with their defaults: see table-tunnel.ts. */

export type Topology = 'net30' | 'p2p' | 'subnet';
export type DevType = 'tun' | 'tap';

/** Address pair of --ifconfig; for topology subnet and tap the second is a netmask. */
export interface IfconfigPair {
  local: string;
  remoteNetmask: string;
}

export interface IfconfigIpv6 {
  local: string;
  netbits: number;
  remote: string;
}

export interface TunnelOptions {
  dev: string | undefined;
  devType: string | undefined;
  devNode: string | undefined;
  lladdr: string | undefined;
  topology: Topology;
  txqueuelen: number;
  ifconfig: IfconfigPair | undefined;
  ifconfigIpv6: IfconfigIpv6 | undefined;
  ifconfigNoexec: boolean;
  ifconfigNowarn: boolean;
  disableDco: boolean;
}

export function tunnelDefaults(): TunnelOptions {
  return {
    dev: undefined,
    devType: undefined,
    devNode: undefined,
    lladdr: undefined,
    topology: 'net30',
    txqueuelen: 0,
    ifconfig: undefined,
    ifconfigIpv6: undefined,
    ifconfigNoexec: false,
    ifconfigNowarn: false,
    disableDco: false,
  };
}
