/**
 * OpenVPN 3's command-line client (ovpncli) as a peer. It is a client only, reads one configuration file,
 * takes logins and challenges as arguments, knows tun devices only, and speaks of events where 2.x
 * has log lines.
 *
 * The scenarios keep writing 2.x's options and waiting for 2.x's lines: toOpenvpn3() turns the first into what
 * ovpncli takes, and toLogLine() puts 2.x's words behind the events that mean the same.
 */
import { readFileSync } from 'node:fs';

/** A start of a peer: the lines of its configuration file, the name's ending, and the arguments before the name. */
export interface PeerCommand {
  readonly extension: string;
  readonly args: readonly string[];
  readonly lines: readonly string[];
}

/** Options that ovpncli takes as arguments, by their 2.x names; each gives its arguments for its parameters. */
const AS_ARGUMENTS: Readonly<Record<string, (parameters: readonly string[]) => readonly string[]>> = {
  'auth-user-pass': ([file]) => (file === undefined ? [] : loginArguments(file)),
  'http-proxy-user-pass': ([file]) => (file === undefined ? [] : loginArguments(file, 'proxy-')),
  askpass: ([file]) => (file === undefined ? [] : ['--pk-password', firstLine(file)]),
  'allow-compression': ([mode = 'no']) => ['--compress', mode],
  'auth-retry': ([mode]) => (mode === 'nointeract' ? ['--auth-retry'] : []),
  'http-proxy': (parameters) => (parameters.includes('auto-nct') ? [] : ['--proxy-basic']),
  'data-ciphers': ([list = '']) => (/CBC/.test(list) ? ['--non-preferred-algorithms'] : []),
};

/** Options that ovpncli must not see beside the arguments made of them. */
const DROPPED = new Set([
  'askpass',
  'allow-compression',
  'http-proxy-user-pass',
  'explicit-exit-notify',
  'tls-version-max',
  'data-ciphers',
  'connect-retry',
]);

/** The least that it takes for its control packets. */
const SMALLEST_PACKET = 256;

/** The start of a 2.x with these lines. */
export function toOpenvpn2(lines: readonly string[]): PeerCommand {
  return { extension: 'conf', args: ['--config'], lines };
}

/** Turns lines of a 2.x client configuration into a start of ovpncli. */
export function toOpenvpn3(lines: readonly string[]): PeerCommand {
  const args: string[] = [];
  const kept: string[] = [];
  for (const line of lines) {
    const [name = '', ...parameters] = line.split(/\s+/);
    args.push(...(AS_ARGUMENTS[name]?.(parameters) ?? []));
    if (name === 'setenv' && parameters[0] === 'IV_SSO') args.push('--sso-methods', parameters[1] ?? '');
    else if (name === 'response') args.push('--response', ...parameters);
    else if (name === 'auth-user-pass') kept.push(name);
    else if (name === 'max-packet-size')
      kept.push(`mssfix-ctrl ${Math.max(SMALLEST_PACKET, Number(parameters[0]))}`);
    else if (line === 'dev tun') kept.push('dev tun0');
    else if (!DROPPED.has(name)) kept.push(line);
  }
  return { extension: 'ovpn', args, lines: kept };
}

/** `$1` and so on are groups of the pattern. */
const SAME_MEANING: readonly (readonly [RegExp, string])[] = [
  [/ EVENT: CONNECTED /, 'Initialization Sequence Completed'],
  [/ EVENT: RECONNECTING\b/, 'SIGUSR1[soft,reconnecting] received, process restarting'],
  [/ EVENT: INACTIVE_TIMEOUT\b/, 'SIGTERM[soft,inactive] received, process exiting'],
  [/ EVENT: TRANSPORT_ERROR .*NETWORK_(RECV|EOF)_ERROR/, 'Connection reset, restarting'],
  [/ EVENT: (AUTH_FAILED)/, 'AUTH: Received control message: AUTH_FAILED'],
  [/ Session invalidated: KEEPALIVE_TIMEOUT/, 'Inactivity timeout (--ping-restart), restarting'],
  [/ SSL Handshake: .* cipher: (\S+) +(TLSv1\.\d) .*/, 'Control Channel: $2, cipher $2 $1'],
];

/** A line of ovpncli with 2.x's words for it behind, where there are any. */
export function toLogLine(line: string): string {
  const found = SAME_MEANING.find(([pattern]) => pattern.test(line));
  if (found === undefined) return line;
  const [pattern, words] = found;
  const matched = pattern.exec(line) ?? [];
  return `${line} (${words.replace(/\$(\d)/g, (_, group: string) => matched[Number(group)] ?? '')})`;
}

function loginArguments(file: string, kind = ''): string[] {
  const [user = '', password = ''] = readFileSync(file, 'utf8').split('\n');
  return [`--${kind}username`, user, `--${kind}password`, password];
}

function firstLine(file: string): string {
  return readFileSync(file, 'utf8').split('\n')[0] ?? '';
}
