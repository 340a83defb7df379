/**
 * Header of manage/ (2.x status.c, print_status() of sig.c, multi_print_status() of multi.c, the file of
 * ifconfig-pool-persist of pool.c). Snapshots are plain data, filled by multi/ and init/.
 */

/** Totals of a client or p2p tunnel since start. */
export interface ClientStatus {
  readonly tunReadBytes: number;
  readonly tunWriteBytes: number;
  readonly linkReadBytes: number;
  readonly linkWriteBytes: number;
  readonly authReadBytes: number;
  /** With compression enabled only. */
  readonly compression?: {
    readonly preCompressBytes: number;
    readonly postCompressBytes: number;
    readonly preDecompressBytes: number;
    readonly postDecompressBytes: number;
  };
}

export interface ClientEntry {
  /** `UNDEF` before authentication. */
  readonly commonName: string;
  /** As mroute_addr_print() shows it: `198.51.100.2:42981`. */
  readonly realAddress: string;
  /** '' when none was given. */
  readonly virtualAddress: string;
  readonly virtualIpv6Address: string;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Unix ms. */
  readonly connectedSinceMs: number;
  /** `UNDEF` without a login. */
  readonly username: string;
  readonly clientId: number;
  readonly peerId: number;
  readonly cipher: string;
}

export interface RouteRow {
  /** `10.8.0.2`, `192.168.77.0/24`, a MAC. */
  readonly virtualAddress: string;
  /** Learned from traffic; shown with a trailing `C`. */
  readonly cached: boolean;
  readonly commonName: string;
  readonly realAddress: string;
  /** Unix ms. */
  readonly lastRefMs: number;
}

export interface ServerStatus {
  readonly clients: readonly ClientEntry[];
  readonly routes: readonly RouteRow[];
  /** Most packets that ever waited for broadcast. */
  readonly maxBcastQueue: number;
}

export type StatusVersion = 1 | 2 | 3;

export {
  formatPoolPersist,
  type PoolPersistEntry,
  type PoolPersistLine,
  parsePoolPersist,
} from './pool-persist.ts';
/** openPoolPersist(path, writable, log): PoolPersistFile; never throws, like openStatusFile. */
export { openPoolPersist, type PoolPersistFile } from './pool-persist-file.ts';
export { clientStatusLines, serverStatusLines } from './status-lines.ts';
/** openStatusFile(path, log): StatusWriter; openStatusFile never throws, a file that can't be opened is logged. */
export { openStatusFile, type StatusWriter } from './status-writer.ts';
