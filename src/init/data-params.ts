/**
 * What a pulling client makes of the server's choices for the data channel (2.x do_deferred_options() of
 * init.c, ssl_ncp.c check_session_cipher()).
 */
import { D_PUSH_ERRORS, D_TLS_ERRORS } from '../base/errlevel.ts';
import { type CipherInfo, cipherInfo, digestInfo } from '../crypto/crypto.ts';
import type { Options } from '../options/options.ts';
import { type DataChannelParams, pickClientCipher } from '../ssl/ssl.ts';
import type { Providers } from './init.ts';

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
    dataCiphers: options.dataCiphers.split(':'),
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
