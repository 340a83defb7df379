/** Fields of data channel encryption and compression with their defaults: see table-data-channel.ts. */
import type { CompressionSettings } from '../comp/comp.ts';
import { NO_COMPRESSION } from './apply-compression.ts';
import type { FileOrInline, KeyDirection } from './material.ts';

export interface DataChannelOptions {
  /** '' while parsing when not given; post-processing then sets BF-CBC, 2.x's internal default. */
  cipher: string;
  /** --cipher (or its default) may be used when negotiation fails. */
  enableNcpFallback: boolean;
  /**
   * Colon list: for the options string, IV_CIPHERS and negotiation. Post-processing leaves canonical names of what this
   * program can do; a client's own list stands as it was written, since 2.x doesn't look at its names either.
   */
  dataCiphers: string;
  auth: string;
  /** false only with --no-replay. */
  replay: boolean;
  replayWindow: number;
  replaySec: number;
  muteReplayWarnings: boolean;
  replayPersist: string | undefined;
  /** OpenSSL providers to load. */
  providers: string[];
  secret: FileOrInline | undefined;
  keyDirection: KeyDirection;
  compress: CompressionSettings;
  /** --disable-occ turns it off. */
  occ: boolean;
}

export function dataChannelDefaults(): DataChannelOptions {
  return {
    cipher: '',
    enableNcpFallback: false,
    dataCiphers: '',
    auth: 'SHA1',
    replay: true,
    replayWindow: 64,
    replaySec: 15,
    muteReplayWarnings: false,
    replayPersist: undefined,
    providers: [],
    secret: undefined,
    keyDirection: -1,
    compress: { ...NO_COMPRESSION },
    occ: true,
  };
}
