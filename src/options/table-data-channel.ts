/**
 * Option rows for data channel encryption and compression (2.x options.c add_option(), manual section "data-channel").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { M_INFO } from '../base/errlevel.ts';
import { applyAllowCompression, applyCompLzo, applyCompress } from './apply-compression.ts';
import { applyCipher, applyDataCiphers, parseKeyDirection } from './apply-tls.ts';
import { epochAllowed } from './data-ciphers.ts';
import { atoi, fileOrInline, MANY, nothing, type OptionRow, text } from './option-row.ts';

export const dataChannelOptions: readonly OptionRow[] = [
  {
    name: 'allow-compression',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'MODE',
    help: 'Compression policy no, asym, yes',
    apply: applyAllowCompression,
  },
  {
    name: 'allow-deprecated-insecure-static-crypto',
    min: 0,
    max: MANY,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Permit static-key/no-crypto mode in 2.7',
    // As in 2.6, that needs no permission.
    apply: nothing,
  },
  {
    name: 'auth',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'DIGEST',
    help: 'HMAC digest for CBC data channel and tls-auth',
    apply: text('auth'),
  },
  {
    name: 'cipher',
    min: 1,
    max: 1,
    contexts: 'GPD',
    supported: 'yes',
    usage: 'CIPHER',
    help: 'Legacy data cipher; pushed value sets negotiated cipher',
    imports: 'ncp',
    apply: applyCipher,
  },
  {
    name: 'comp-lzo',
    min: 0,
    max: 1,
    contexts: 'GPD',
    supported: 'yes',
    usage: '[MODE]',
    help: 'Legacy LZO framing: yes, no, adaptive',
    imports: 'comp',
    apply: applyCompLzo,
  },
  {
    name: 'comp-noadapt',
    min: 0,
    max: 0,
    contexts: 'N',
    supported: 'ignored',
    usage: '',
    help: 'Disable adaptive LZO',
    apply: (_values, { compress }) => {
      compress.adaptive = false;
    },
  },
  {
    name: 'compress',
    min: 0,
    max: 1,
    contexts: 'GPD',
    supported: 'yes',
    usage: '[ALGORITHM]',
    help: 'Compression framing stub, stub-v2, lzo, lz4, lz4-v2, migrate',
    imports: 'comp',
    apply: applyCompress,
  },
  {
    name: 'data-ciphers',
    min: 1,
    max: 1,
    contexts: 'GD',
    supported: 'yes',
    usage: 'LIST',
    help: 'Allowed ciphers; ? marks optional; 2.7 DEFAULT keyword',
    apply: applyDataCiphers,
  },
  {
    name: 'data-ciphers-fallback',
    min: 1,
    max: 1,
    contexts: 'GD',
    supported: 'yes',
    usage: 'CIPHER',
    help: 'Cipher when the peer cannot negotiate',
    apply: (values, options, context) => {
      applyCipher(values, options, context);
      options.enableNcpFallback = true;
    },
  },
  {
    name: 'key-derivation',
    min: 1,
    max: MANY,
    contexts: 'GP',
    supported: 'yes',
    usage: 'METHOD',
    help: 'Pushed: tls-ekm selects exporter-based keys',
    imports: 'ncp',
    apply: ([method = ''], options, context) => {
      if (method === 'tls-ekm') options.protocolFlags.tlsEkm = true;
      else context.error(`Unknown key-derivation method ${method}`);
    },
  },
  {
    name: 'ncp-ciphers',
    min: 1,
    max: 1,
    contexts: 'GD',
    supported: 'yes',
    usage: 'LIST',
    help: 'Old name of data-ciphers',
    apply: ([list = ''], options, context) => {
      context.log(
        M_INFO,
        "Note: Treating option '--ncp-ciphers' as  '--data-ciphers' (renamed in OpenVPN 2.5).",
      );
      applyDataCiphers([list], options, context);
    },
  },
  {
    name: 'peer-id',
    min: 1,
    max: 1,
    contexts: 'GP',
    supported: 'yes',
    usage: 'ID',
    help: 'Pushed: 24-bit id for DATA_V2 packets',
    imports: 'peer-id',
    apply: ([id = ''], options) => {
      // What packets have room for, as 2.x cuts it when it sends them.
      options.peerId = atoi(id) & 0xff_ffff;
    },
  },
  {
    name: 'protocol-flags',
    min: 1,
    max: MANY,
    contexts: 'GP',
    supported: 'yes',
    usage: 'FLAG...',
    help: 'Pushed: cc-exit, tls-ekm, dyn-tls-crypt, 2.7 aead-epoch',
    imports: 'ncp',
    apply: (values, options, context) => {
      const { protocolFlags } = options;
      for (const word of values) {
        if (word === 'cc-exit') protocolFlags.ccExit = true;
        else if (word === 'tls-ekm') protocolFlags.tlsEkm = true;
        else if (word === 'dyn-tls-crypt') protocolFlags.dynTlsCrypt = true;
        else if (word === 'aead-epoch' && epochAllowed(options)) protocolFlags.epoch = true;
        else context.error(`Unknown protocol-flags flag: ${word}`);
      }
    },
  },
  {
    name: 'replay-persist',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'FILE',
    help: 'Persist replay state in a file',
    apply: text('replayPersist'),
  },
  {
    name: 'replay-window',
    min: 1,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'PACKETS [SECONDS]',
    help: 'Replay window size (0..65536) and time (0..600)',
    apply: ([packets = '', seconds], options, context) => {
      const size = atoi(packets);
      if (size < 0 || size > 65536) {
        return context.fail(`replay-window window size parameter (${size}) must be between 0 and 65536`);
      }
      options.replayWindow = size;
      if (seconds === undefined) return;
      const time = atoi(seconds);
      if (time < 0 || time > 600) {
        return context.fail(`replay-window time window parameter (${time}) must be between 0 and 600`);
      }
      options.replaySec = time;
    },
  },
  {
    name: 'secret',
    min: 1,
    max: 2,
    contexts: 'GI',
    supported: 'yes',
    usage: 'FILE [DIRECTION]',
    help: 'Static key mode without TLS',
    apply: ([value = '', direction], options, context) => {
      context.warn('DEPRECATED OPTION: The option --secret is deprecated.');
      options.secret = fileOrInline(value, context.inline);
      if (!context.inline && direction !== undefined) {
        options.keyDirection = parseKeyDirection(direction, context);
      }
    },
  },
];
