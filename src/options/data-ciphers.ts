/**
 * The --data-ciphers list (2.x ssl_ncp.c mutate_ncp_cipher_list(), tls_item_in_cipher_list();
 * options.c options_postprocess_cipher(), options_set_backwards_compatible_options()).
 */
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import { cipherInfo, hasUnusedMode } from '../crypto/crypto.ts';
import { ConfigError, type LogLine } from './config-error.ts';
import type { Options } from './option-types.ts';

const DEFAULT_DATA_CIPHERS = 'AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305';
/** 2.x's internal cipher when --cipher is not set; never negotiated unless listed. */
const DEFAULT_CIPHER = 'BF-CBC';
/** 2.x's limit, without the NUL. */
const MAX_LIST_BYTES = 127;

/** Defaults of cipher and data-ciphers, and what --compat-mode changes about them. */
export function completeCiphers(options: Options, messages: LogLine[]): void {
  options.dataCiphers ||= DEFAULT_DATA_CIPHERS;
  if (compatBefore(options, 20400)) {
    options.cipher ||= DEFAULT_CIPHER;
    options.enableNcpFallback = true;
  }
  if (options.cipher && compatBefore(options, 20500) && !inList(options.cipher, options.dataCiphers)) {
    options.dataCiphers += `:${options.cipher}`;
  }
  completeCipher(options, messages);
}

/**
 * The list in canonical names. Throws ConfigError when a cipher that isn't optional is unknown, or not to
 * be had by `supports` (canonical name; without it all but OpenSSL's legacy ones are).
 */
export function normaliseDataCiphers(
  list: string,
  messages: LogLine[],
  supports: (name: string) => boolean = (name) => !cipherInfo(name)?.legacy,
): string {
  const names: string[] = [];
  let bad = false;
  for (const item of list.split(':').filter((name) => name !== '')) {
    const optional = item.startsWith('?');
    const cipher = cipherInfo(optional ? item.slice(1) : item);
    if (cipher === undefined || !supports(cipher.name)) {
      warn(messages, unsupported(optional ? item.slice(1) : item, optional));
      bad ||= !optional;
    } else if ([...names, cipher.name].join(':').length > MAX_LIST_BYTES) {
      warn(messages, 'Length of --data-ciphers is over the limit of 127 chars');
      bad = true;
    } else {
      if (cipher.name === 'none') warnAboutNone(messages);
      names.push(cipher.name);
    }
  }
  if (bad || names.length === 0) {
    throw new ConfigError('--data-ciphers list contains unsupported ciphers or is too long.');
  }
  return names.join(':');
}

/** 2.x tells ciphers of OpenSSL in a mode that it has no use for from those that nobody knows. */
function unsupported(name: string, optional: boolean): string {
  const kind = optional ? 'optional ' : '';
  return hasUnusedMode(name)
    ? `Unsupported ${kind}cipher algorithm '${name}'. It does not use CFB, OFB, CBC, or a supported AEAD mode`
    : `Unsupported ${kind}cipher in --data-ciphers: ${name}`;
}

/** Whether a colon list holds exactly this name. */
export function inList(name: string, list: string): boolean {
  return list.split(':').includes(name);
}

/** Whether --compat-mode asks for a peer older than `version` (major*10000+minor*100+patch). */
export function compatBefore({ compatMode }: Pick<Options, 'compatMode'>, version: number): boolean {
  return compatMode !== 0 && compatMode < version;
}

/** Whether the epoch data format of 2.7 may be negotiated: unless --compat-mode names a release before it. */
export function epochAllowed(options: Pick<Options, 'compatMode'>): boolean {
  return !compatBefore(options, 20700);
}

function completeCipher(options: Options, messages: LogLine[]): void {
  if (!options.pull && options.mode !== 'server') {
    if (options.cipher) options.enableNcpFallback = true;
    else options.cipher = DEFAULT_CIPHER;
  } else if (!options.cipher) {
    options.cipher = DEFAULT_CIPHER;
    messages.push({
      level: M_INFO,
      text: "Note: --cipher is not set. OpenVPN versions before 2.5 defaulted to BF-CBC as fallback when cipher negotiation failed in this case. If you need this fallback please add '--data-ciphers-fallback BF-CBC' to your configuration and/or add BF-CBC to --data-ciphers.",
    });
  } else if (!options.enableNcpFallback && !inList(options.cipher, options.dataCiphers)) {
    warn(
      messages,
      `DEPRECATED OPTION: --cipher set to '${options.cipher}' but missing in --data-ciphers (${options.dataCiphers}). OpenVPN ignores --cipher for cipher negotiations. `,
    );
  }
}

function warnAboutNone(messages: LogLine[]): void {
  warn(
    messages,
    "WARNING: cipher 'none' specified for --data-ciphers. This allows negotiation of NO encryption and tunnelled data WILL then be transmitted in clear text over the network! PLEASE DO RECONSIDER THIS SETTING!",
  );
}

function warn(messages: LogLine[], text: string): void {
  messages.push({ level: M_WARN, text });
}
