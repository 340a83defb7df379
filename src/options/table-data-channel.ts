/**
 * Option rows for data channel encryption and compression (2.x options.c add_option(), manual section "data-channel").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { M_INFO } from '../base/errlevel.ts';
import { applyAllowCompression, applyCompLzo, applyCompress } from './apply-compression.ts';
import { applyCipher, applyDataCiphers, parseKeyDirection } from './apply-tls.ts';
import { epochAllowed } from './data-ciphers.ts';
import { atoi, fileOrInline, ignored, MANY, nothing, type OptionRow, row, text } from './option-row.ts';

export const dataChannelOptions: readonly OptionRow[] = [
  row('allow-compression MODE', 1, 1, 'G', 'Compression policy no, asym, yes', applyAllowCompression),
  row('allow-deprecated-insecure-static-crypto', 0, MANY, 'G', {
    help: 'Permit static-key/no-crypto mode in 2.7',
    // As in 2.6, that needs no permission.
    apply: nothing,
  }),
  row('auth DIGEST', 1, 1, 'G', 'HMAC digest for CBC data channel and tls-auth', text('auth')),
  row('cipher CIPHER', 1, 1, 'GPD', {
    help: 'Legacy data cipher; pushed value sets negotiated cipher',
    imports: 'ncp',
    apply: applyCipher,
  }),
  row('comp-lzo [MODE]', 0, 1, 'GPD', 'Legacy LZO framing: yes, no, adaptive', applyCompLzo, 'comp'),
  ignored('comp-noadapt', 0, 0, 'N', 'Disable adaptive LZO', (_values, { compress }) => {
    compress.adaptive = false;
  }),
  row('compress [ALGORITHM]', 0, 1, 'GPD', {
    help: 'Compression framing stub, stub-v2, lzo, lz4, lz4-v2, migrate',
    imports: 'comp',
    apply: applyCompress,
  }),
  row('data-ciphers LIST', 1, 1, 'GD', {
    help: 'Allowed ciphers; ? marks optional; 2.7 DEFAULT keyword',
    apply: applyDataCiphers,
  }),
  row('data-ciphers-fallback CIPHER', 1, 1, 'GD', {
    help: 'Cipher when the peer cannot negotiate',
    apply: (values, options, context) => {
      applyCipher(values, options, context);
      options.enableNcpFallback = true;
    },
  }),
  row('key-derivation METHOD', 1, MANY, 'GP', {
    help: 'Pushed: tls-ekm selects exporter-based keys',
    imports: 'ncp',
    apply: ([method = ''], options, context) => {
      if (method === 'tls-ekm') options.protocolFlags.tlsEkm = true;
      else context.error(`Unknown key-derivation method ${method}`);
    },
  }),
  row('ncp-ciphers LIST', 1, 1, 'GD', 'Old name of data-ciphers', ([list = ''], options, context) => {
    context.log(
      M_INFO,
      "Note: Treating option '--ncp-ciphers' as  '--data-ciphers' (renamed in OpenVPN 2.5).",
    );
    applyDataCiphers([list], options, context);
  }),
  row('peer-id ID', 1, 1, 'GP', {
    help: 'Pushed: 24-bit id for DATA_V2 packets',
    imports: 'peer-id',
    apply: ([id = ''], options) => {
      // What packets have room for, as 2.x cuts it when it sends them.
      options.peerId = atoi(id) & 0xff_ffff;
    },
  }),
  row('protocol-flags FLAG...', 1, MANY, 'GP', {
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
  }),
  row('replay-persist FILE', 1, 1, 'G', 'Persist replay state in a file', text('replayPersist')),
  row('replay-window PACKETS [SECONDS]', 1, 2, 'G', {
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
  }),
  row('secret FILE [DIRECTION]', 1, 2, 'GI', {
    help: 'Static key mode without TLS',
    apply: ([value = '', direction], options, context) => {
      context.warn('DEPRECATED OPTION: The option --secret is deprecated.');
      options.secret = fileOrInline(value, context.inline);
      if (!context.inline && direction !== undefined) {
        options.keyDirection = parseKeyDirection(direction, context);
      }
    },
  }),
];
