/**
 * Reading of control channel messages (2.x forward.c parse_incoming_control_channel_command(), push.c
 * receive_*(), options_util.c parse_auth_failed_temp(), ssl_pkt.c extract_command_buffer()).
 * Matching is by prefix, in this order: AUTH_FAILED PUSH_ RESTART HALT INFO_PRE INFO CR_RESPONSE
 * AUTH_PENDING EXIT. Trailing CR and LF are dropped; other control characters make a message invalid.
 */

/** AUTH_FAILED of a server. */
export interface AuthFailedMessage {
  readonly type: 'auth-failed';
  /** What follows `AUTH_FAILED,`; undefined when nothing does. */
  readonly reason: string | undefined;
  /** `TEMP[...]:text`: try again later. */
  readonly temporary: TemporaryFailure | undefined;
  /** `CRV1:...`: a dynamic challenge, whole. */
  readonly challenge: string | undefined;
}

export interface TemporaryFailure {
  /** `backoff <s>`; 0 = none. */
  readonly backoffSec: number;
  /** Where to connect next: same address, next remote, next address; undefined = not said (as `no`). */
  readonly advance: 'no' | 'remote' | 'addr' | undefined;
  /** For the user. */
  readonly text: string;
  readonly unknownFlags: readonly string[];
}

export type ControlMessage =
  | AuthFailedMessage
  | { readonly type: 'push-request' }
  /** Options without `PUSH_REPLY`; see PushCollector. */
  | { readonly type: 'push-reply'; readonly items: readonly string[] }
  /** 2.7's PUSH_UPDATE; 2.6 clients answer as to a bad push message. */
  | { readonly type: 'push-update'; readonly items: readonly string[] }
  /** `WARNING: Received bad push/pull message: ...` */
  | { readonly type: 'bad-push'; readonly text: string }
  /** RESTART (SIGUSR1) or HALT (SIGTERM); both need --pull. */
  | {
      readonly type: 'restart' | 'halt';
      readonly text: string;
      /** `[N]`: go on to the next remote. */
      readonly nextRemote: boolean;
      /** `[P]`: keep cached passwords. */
      readonly keepPasswords: boolean;
    }
  | { readonly type: 'info' | 'info-pre'; readonly text: string }
  | { readonly type: 'cr-response'; readonly response: string }
  | {
      readonly type: 'auth-pending';
      readonly timeoutSec: number | undefined;
      /** The keywords as sent, for the management state. */
      readonly keywords: string;
      /** To be logged at D_PUSH: `ignoring AUTH_PENDING parameter: ...` */
      readonly ignored: readonly string[];
    }
  | { readonly type: 'exit' }
  /** Log `text` at D_PUSH_ERRORS. */
  | { readonly type: 'unknown' | 'invalid'; readonly text: string };

const MAX_TIMEOUT_SEC = 0xffffffff;

/** Reads one message without its NUL. Never throws. */
export function readControlMessage(message: string): ControlMessage {
  const text = chomp(message);
  if (hasControlCharacters(text)) {
    return { type: 'invalid', text: `WARNING: Received control with invalid characters: ${hexText(text)}` };
  }
  if (text.startsWith('AUTH_FAILED')) return readAuthFailed(text);
  if (text.startsWith('PUSH_')) return readPush(text);
  if (text.startsWith('RESTART')) return readSignal('restart', text);
  if (text.startsWith('HALT')) return readSignal('halt', text);
  if (text.startsWith('INFO_PRE')) return { type: 'info-pre', text: argument(text, 'INFO_PRE') };
  if (text.startsWith('INFO')) return { type: 'info', text: argument(text, 'INFO') };
  if (text.startsWith('CR_RESPONSE')) return { type: 'cr-response', response: argument(text, 'CR_RESPONSE') };
  if (text.startsWith('AUTH_PENDING')) return readAuthPending(text);
  if (text.startsWith('EXIT')) return { type: 'exit' };
  return { type: 'unknown', text: `WARNING: Received unknown control message: ${text}` };
}

/**
 * A message as it may be logged: session ids of tokens, `echo` texts and, unless `showKeys` (verb 7),
 * auth tokens are left out (2.x misc.c sanitize_control_message()).
 */
export function sanitizeControlMessage(text: string, showKeys = false): string {
  const marks = showKeys ? ['SESS_ID_', 'echo '] : ['SESS_ID_', 'echo ', 'auth-token '];
  return text
    .split(',')
    .map((item) => redactItem(item, marks))
    .join(',');
}

/** Cuts an item behind the first mark; 2.x shows all of the mark but its last character. */
function redactItem(item: string, marks: readonly string[]): string {
  let end = item.length;
  for (const mark of marks) {
    const at = item.indexOf(mark);
    if (at >= 0) end = Math.min(end, at + mark.length - 1);
  }
  return item.slice(0, end);
}

/** Without line ends at its end, which scripts like to add. */
function chomp(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === '\n' || text[end - 1] === '\r')) end--;
  return text.slice(0, end);
}

function hasControlCharacters(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

function hexText(text: string): string {
  return Buffer.from(text, 'utf8').subarray(0, 128).toString('hex');
}

/** What follows `NAME,`; '' without a comma right behind the name. */
function argument(text: string, name: string): string {
  return text[name.length] === ',' ? text.slice(name.length + 1) : '';
}

function readAuthFailed(text: string): AuthFailedMessage {
  const rest = argument(text, 'AUTH_FAILED');
  return {
    type: 'auth-failed',
    reason: rest === '' ? undefined : rest,
    temporary: rest.startsWith('TEMP') ? readTemporary(rest.slice('TEMP'.length)) : undefined,
    challenge: rest.startsWith('CRV1:') ? rest : undefined,
  };
}

/** `[flag,flag]:text` or `:text`. */
function readTemporary(rest: string): TemporaryFailure {
  const close = rest.startsWith('[') ? rest.indexOf(']') : -1;
  const tail = close >= 0 ? rest.slice(close + 1) : rest;
  let backoffSec = 0;
  let advance: TemporaryFailure['advance'];
  const unknownFlags: string[] = [];
  const flags = close >= 0 ? rest.slice(1, close).split(/[[,]/) : [];
  for (const flag of flags.filter((word) => word !== '')) {
    const word = flag.slice('advance '.length);
    if (flag.startsWith('backoff ')) backoffSec = leadingInt(flag.slice('backoff '.length)) ?? 0;
    else if (!flag.startsWith('advance ')) unknownFlags.push(flag);
    else if (word === 'no' || word === 'remote' || word === 'addr') advance = word;
  }
  return { backoffSec, advance, text: tail.startsWith(':') ? tail.slice(1) : '', unknownFlags };
}

function readPush(text: string): ControlMessage {
  if (text.startsWith('PUSH_REQUEST')) return { type: 'push-request' };
  for (const type of ['push-reply', 'push-update'] as const) {
    const name = type === 'push-reply' ? 'PUSH_REPLY' : 'PUSH_UPDATE';
    if (text === name) return { type, items: [] };
    if (text.startsWith(`${name},`)) return { type, items: splitItems(text.slice(name.length + 1)) };
  }
  return { type: 'bad-push', text };
}

/** Empty items carry nothing and are passed over. */
function splitItems(text: string): string[] {
  return text.split(',').filter((item) => item !== '');
}

function readSignal(type: 'restart' | 'halt', message: string): ControlMessage {
  const text = argument(message, type === 'restart' ? 'RESTART' : 'HALT');
  const close = text.indexOf(']');
  const flags = text.startsWith('[') ? text.slice(1, close < 0 ? text.length : close) : '';
  return { type, text, nextRemote: flags.includes('N'), keepPasswords: flags.includes('P') };
}

function readAuthPending(text: string): ControlMessage {
  const keywords = argument(text, 'AUTH_PENDING');
  let timeoutSec: number | undefined;
  const ignored: string[] = [];
  for (const item of splitItems(keywords)) {
    const seconds = item.startsWith('timeout ') ? leadingInt(item.slice('timeout '.length)) : undefined;
    if (seconds === undefined) ignored.push(item);
    else timeoutSec = seconds;
  }
  return { type: 'auth-pending', timeoutSec, keywords, ignored };
}

/** A non-negative number at the start, as sscanf reads it; undefined when there is none. */
function leadingInt(text: string): number | undefined {
  const digits = /^\s*\+?(\d{1,12})/.exec(text)?.[1];
  return digits === undefined ? undefined : Math.min(Number(digits), MAX_TIMEOUT_SEC);
}
