/** The lines about a data channel that is ready (2.x init.c tls_print_deferred_options_results()). */
import type { Logger } from '../base/base.ts';
import { D_HANDSHAKE } from '../base/errlevel.ts';
import type { CompressionFraming } from '../comp/comp.ts';
import type { ConnectionEntry, Options } from '../options/options.ts';
import type { DataChannelParams } from './ssl.ts';

/** How 2.x names framings. */
const COMPRESSION_NAMES: Record<CompressionFraming, string> = {
  'lzo-stub': 'stub',
  stub: 'stub',
  'stub-v2': 'stubv2',
  lzo: 'lzo',
  lz4: 'lz4',
  'lz4-v2': 'lz4v2',
};

/** Cipher, timers and protocol options in use. */
export function logDataChannel(
  log: Logger,
  options: Options,
  ce: ConnectionEntry,
  params: DataChannelParams,
  framing: CompressionFraming | undefined,
): void {
  log.log(D_HANDSHAKE, `Data Channel: ${cipherText(params)}${framing ? compressionText(framing) : ''}`);
  const timers = timerTexts(options);
  if (timers.length > 0) log.log(D_HANDSHAKE, `Timers: ${timers.join(', ')}`);
  // 2.x lists flags that were pushed, by itself or by the server, not those that equals agreed on.
  const flags = [
    params.ccExit && 'cc-exit',
    params.tlsEkm && 'tls-ekm',
    params.dynTlsCrypt && 'dyn-tls-crypt',
    params.epoch && 'aead-epoch',
  ].filter((text) => text && (options.pull || options.mode === 'server'));
  const protocol = [
    ce.explicitExitNotify > 0 && `explicit-exit-notify ${ce.explicitExitNotify}`,
    flags.length > 0 && `protocol-flags ${flags.join(' ')}`,
  ].filter((text) => text);
  if (protocol.length > 0) log.log(D_HANDSHAKE, `Protocol options: ${protocol.join(', ')}`);
}

function timerTexts(options: Options): string[] {
  const { ping, pingRecAction, pingRecTimeout, inactive, inactiveMinimumBytes, sessionTimeout } = options;
  const texts: string[] = [];
  if (ping > 0) texts.push(`ping ${ping}`);
  if (pingRecAction !== 'none') texts.push(`ping-${pingRecAction} ${pingRecTimeout}`);
  if (inactive > 0)
    texts.push(`inactive ${inactive}${inactiveMinimumBytes > 0 ? ` ${inactiveMinimumBytes}` : ''}`);
  if (sessionTimeout > 0) texts.push(`session-timeout ${sessionTimeout}`);
  return texts;
}

function cipherText({ cipher, digest, peerId }: DataChannelParams): string {
  const name = cipher.mode === 'none' ? '[null-cipher]' : cipher.name;
  const auth = cipher.mode === 'aead' ? '' : `, auth '${digest?.name ?? '[null-digest]'}'`;
  return `cipher '${name}'${auth}${peerId >= 0 ? `, peer-id: ${peerId}` : ''}`;
}

function compressionText(framing: CompressionFraming): string {
  return `, compression: '${COMPRESSION_NAMES[framing]}'`;
}
