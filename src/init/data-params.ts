/**
 * What a pulling client makes of the server's choices for the data channel (2.x do_deferred_options() of
 * init.c, ssl_ncp.c check_session_cipher()), and the lines about what is in use
 * (tls_print_deferred_options_results()).
 */
import type { Logger } from '../base/base.ts';
import { D_HANDSHAKE, D_PUSH_ERRORS, D_TLS_ERRORS } from '../base/errlevel.ts';
import type { CompressionFraming } from '../comp/comp.ts';
import { type CipherInfo, cipherInfo, digestInfo } from '../crypto/crypto.ts';
import type { ConnectionEntry, Options } from '../options/options.ts';
import { type DataChannelParams, pickClientCipher } from '../ssl/ssl.ts';
import type { Providers } from './init.ts';

/** How 2.x names framings. */
const COMPRESSION_NAMES: Record<CompressionFraming, string> = {
  'lzo-stub': 'stub',
  stub: 'stub',
  'stub-v2': 'stubv2',
  lzo: 'lzo',
  lz4: 'lz4',
  'lz4-v2': 'lz4v2',
};

/**
 * Parameters from the pulled options; undefined, with 2.x's line, when they can't be used.
 * `pushed` are the options of the PUSH_REPLY, `remoteOptions` the server's options string.
 */
export function pulledDataParams(
  options: Options,
  pushed: readonly string[],
  remoteOptions: string,
  { crypto, log }: Pick<Providers, 'crypto' | 'log'>,
): DataChannelParams | undefined {
  const pushedCipher = pushed.findLast((item) => item.startsWith('cipher '));
  const choice = pickClientCipher({
    dataCiphers: options.ncpCiphers.split(':'),
    fallback: options.enableNcpFallback ? options.cipher : undefined,
    remoteOptions,
    pushed: pushedCipher?.slice('cipher '.length).trim(),
  });
  for (const line of choice.log) log.log(D_TLS_ERRORS, line);
  if (choice.cipher === undefined) return undefined;
  const cipher = cipherInfo(choice.cipher);
  if (!cipher || !crypto.supportsCipher(cipher)) {
    log.log(D_TLS_ERRORS, `ERROR: failed to set crypto cipher ${choice.cipher}`);
    return undefined;
  }
  const { protocolFlags, auth, peerId = -1 } = options;
  const problem = protocolFlags.epoch ? epochProblem(cipher, peerId) : undefined;
  if (problem !== undefined) {
    log.log(D_PUSH_ERRORS, problem);
    return undefined;
  }
  return { cipher, digest: digestInfo(auth), peerId, ...protocolFlags };
}

function epochProblem(cipher: CipherInfo, peerId: number): string | undefined {
  if (peerId < 0) {
    return 'OPTIONS ERROR: Epoch key data format tag requires data v2 (peer-id) to be enabled.';
  }
  if (cipher.mode === 'aead') return undefined;
  return `AEAD cipher (currently ${cipher.name}) required for epoch data format.`;
}

/** Cipher, timers and protocol options in use. */
export function logDataChannel(
  log: Logger,
  options: Options,
  ce: ConnectionEntry,
  params: DataChannelParams,
  framing: CompressionFraming | undefined,
): void {
  log.log(D_HANDSHAKE, `Data Channel: ${cipherText(params)}${framing ? compressionText(framing) : ''}`);
  const timers = [
    options.ping > 0 && `ping ${options.ping}`,
    options.pingRecAction !== 'none' && `ping-${options.pingRecAction} ${options.pingRecTimeout}`,
  ].filter((text) => text);
  if (timers.length > 0) log.log(D_HANDSHAKE, `Timers: ${timers.join(', ')}`);
  // 2.x lists flags that were pushed, not those that equals agreed on.
  const flags = [
    params.ccExit && 'cc-exit',
    params.tlsEkm && 'tls-ekm',
    params.dynTlsCrypt && 'dyn-tls-crypt',
    params.epoch && 'aead-epoch',
  ].filter((text) => text && options.pull);
  const protocol = [
    ce.explicitExitNotify > 0 && `explicit-exit-notify ${ce.explicitExitNotify}`,
    flags.length > 0 && `protocol-flags ${flags.join(' ')}`,
  ].filter((text) => text);
  if (protocol.length > 0) log.log(D_HANDSHAKE, `Protocol options: ${protocol.join(', ')}`);
}

function cipherText({ cipher, digest, peerId }: DataChannelParams): string {
  const name = cipher.mode === 'none' ? '[null-cipher]' : cipher.name;
  const auth = cipher.mode === 'aead' ? '' : `, auth '${digest?.name ?? '[null-digest]'}'`;
  return `cipher '${name}'${auth}${peerId >= 0 ? `, peer-id: ${peerId}` : ''}`;
}

function compressionText(framing: CompressionFraming): string {
  return `, compression: '${COMPRESSION_NAMES[framing]}'`;
}
