/** Actions of compression options and what they imply (2.x options.c, comp.c). */
import { type CompressionSettings, headerBytes } from '../comp/comp.ts';
import { compatBefore } from './data-ciphers.ts';
import type { Apply, ApplyContext } from './option-row.ts';
import type { Options } from './option-types.ts';

export const applyAllowCompression: Apply = ([mode = ''], { compress }, context) => {
  if (mode === 'no') {
    compress.adaptive = false;
    compress.migrate = false;
    compress.advertiseStubsOnly = true;
    if (isRealCompression(compress)) {
      context.error("'--allow-compression no' conflicts with  enabling compression");
    }
  } else if (compress.allow === 'no') {
    return context.fail(`Cannot set allow-compression to '${mode}' after set to 'no'`);
  } else if (mode === 'yes') {
    context.warn(
      'WARNING: Compression for sending and receiving enabled. Compression has been used in the past to break encryption. Allowing compression allows attacks that break encryption. Using "--allow-compression yes" is strongly discouraged for common usage. See --compress in the manual page for more information ',
    );
  } else if (mode !== 'asym') {
    return context.fail(`bad allow-compression option: ${mode} -- must be 'yes', 'no', or 'asym'`);
  }
  compress.allow = mode;
};

export const applyCompLzo: Apply = ([mode = 'adaptive'], { compress }, context) => {
  if (mode !== 'yes' && mode !== 'no' && mode !== 'adaptive') {
    return context.fail(`bad comp-lzo option: ${mode} -- must be 'yes', 'no', or 'adaptive'`);
  }
  compress.algorithm = mode === 'no' ? 'lzo-stub' : 'lzo';
  compress.adaptive = mode === 'adaptive';
  warnAboutCompression(compress, context);
};

export const applyCompress: Apply = ([algorithm = 'stub'], { compress }, context) => {
  switch (algorithm) {
    case 'stub':
    case 'stub-v2':
      compress.algorithm = algorithm;
      compress.advertiseStubsOnly = true;
      break;
    case 'migrate':
      Object.assign(compress, { ...NO_COMPRESSION, migrate: true });
      break;
    case 'lzo':
    case 'lz4':
    case 'lz4-v2':
      compress.algorithm = algorithm;
      if (algorithm === 'lzo') compress.adaptive = false;
      break;
    default:
      return context.fail(`bad comp option: ${algorithm}`);
  }
  warnAboutCompression(compress, context);
};

/** Before any option. */
export const NO_COMPRESSION: CompressionSettings = {
  algorithm: 'none',
  adaptive: false,
  allow: undefined,
  advertiseStubsOnly: false,
  migrate: false,
};

/** From 2.6 on nothing but framing is allowed, unless some option about compression says more. */
export function completeCompression(options: Options): void {
  const { compress } = options;
  if (compatBefore(options, 20600) || isRealCompression(compress)) return;
  if (compress.allow !== undefined || compress.advertiseStubsOnly || compress.migrate) return;
  compress.allow = 'no';
  compress.advertiseStubsOnly = true;
}

/** Receiving compressed packets is allowed, sending them only on demand. */
function warnAboutCompression(compress: CompressionSettings, context: ApplyContext): void {
  if (!isRealCompression(compress) || compress.allow === 'yes') return;
  context.warn(
    'WARNING: Compression for receiving enabled. Compression has been used in the past to break encryption. Sent packets are not compressed unless "allow-compression yes" is also set.',
  );
}

/** lzo and lz4, as opposed to framing only. */
function isRealCompression({ algorithm }: CompressionSettings): boolean {
  return algorithm.startsWith('lz') && algorithm !== 'lzo-stub';
}

/** Bytes of framing that the options string counts. */
export function compressionBytes({ compress }: Options): 0 | 1 {
  return headerBytes(compress.algorithm);
}
