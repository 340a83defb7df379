/**
 * What a client does with PUSH_REPLY (2.x options.c apply_push_options(), apply_pull_filter(),
 * pre_connect_save(), pre_connect_restore(), options_postprocess_pull(); init.c
 * do_deferred_options()). A bad pushed option is logged and passed over; only a `reject` filter stops.
 */
import { D_LOW, D_PUSH, D_PUSH_DEBUG, D_PUSH_ERRORS, M_WARN } from '../base/errlevel.ts';
import { type CompressionLibrary, compressionProblem } from '../comp/comp.ts';
import { addOption, report } from './add-option.ts';
import type { LogLine } from './config-error.ts';
import { dnsProblem, localDnsToDhcp, mergeLocalServers, parkLocalServers } from './dns-options.ts';
import { decodeToken, encodeText, isSpace, splitConfigLine } from './lexer.ts';
import { splitBuffer } from './lines.ts';
import type { ImportKind } from './option-row.ts';
import type { Options, PrePull } from './option-types.ts';
import { isUdp } from './proto.ts';
import { createParser } from './read-config.ts';

const LABEL = '[PUSH-OPTIONS]';

export interface PullResult {
  readonly messages: readonly LogLine[];
  /** Kinds of options that were accepted; collect them over all parts of a reply. */
  readonly imports: ReadonlySet<ImportKind>;
  /** Set when a filter rejected an option: restart (SIGUSR1) with this reason. */
  readonly restart: string | undefined;
}

/**
 * Applies the comma-separated options of one PUSH_REPLY message to `options`, in place. Afterwards
 * `options.pushContinuation` is 2 when more messages follow. At the last one call finishPull().
 */
export function applyPulledOptions(options: Options, items: readonly string[]): PullResult {
  const messages: LogLine[] = [];
  const parser = createParser({
    options,
    context: 'P',
    errorLevel: D_PUSH_ERRORS,
    messages,
    files: undefined,
  });
  const pieces = items.flatMap((item) => (item === '' ? [''] : splitBuffer(encodeText(item), ',')));
  for (const [index, piece] of pieces.entries()) {
    const verdict = filterPulled(options, piece, messages);
    if (verdict === 'reject') {
      return { messages, imports: parser.imports, restart: 'Offending option received from server' };
    }
    if (verdict === 'ignore') continue;
    const place = { file: LABEL, line: index + 1, inline: false, level: 0 };
    const lexed = splitConfigLine(piece, `${LABEL}:${index + 1}`);
    if ('problem' in lexed) report(parser, lexed.problem, place, lexed.raw);
    else addWords(parser, lexed.tokens, place);
  }
  return { messages, imports: parser.imports, restart: undefined };
}

/**
 * Completes a pull whose parts brought `imports`: checks and merges DNS, checks compression, lists what
 * changed. With `ok` false the options can't be used and the client restarts.
 * @param library algorithms at hand; all when left out.
 */
export function finishPull(
  options: Options,
  imports: ReadonlySet<ImportKind>,
  library?: CompressionLibrary,
): { readonly ok: boolean; readonly messages: readonly LogLine[] } {
  const problem = dnsProblem(options.dns);
  if (problem !== undefined) return { ok: false, messages: [{ level: D_PUSH_ERRORS, text: problem }] };
  mergeLocalServers(options.dns);
  localDnsToDhcp(options);
  const messages: LogLine[] = [];
  for (const line of importLines(imports)) {
    const refused = line.kind === 'comp' ? compressionProblem(options.compress, library) : undefined;
    if (refused !== undefined) {
      const lines = [refused, PUSHED_COMPRESSION, FAILED_TO_APPLY];
      messages.push(...lines.map((text) => ({ level: D_PUSH_ERRORS, text })));
      return { ok: false, messages };
    }
    messages.push(line.kind === 'explicit-notify' ? exitNotifyLine(options, line) : line);
  }
  if (imports.has('push-mtu')) messages.push(...pushedMtuLines(options));
  return { ok: true, messages };
}

/** What 2.x says of imported options, pushed ones or a client's own, in its order. */
export function importLines(imports: ReadonlySet<ImportKind>): typeof IMPORT_LINES {
  return IMPORT_LINES.filter(({ kind }) => imports.has(kind));
}

/** Keeps what a pull may change. Called once, at the end of parsing. */
export function savePrePull(options: Options): void {
  if (options.pull) parkLocalServers(options.dns);
  options.prePull = structuredClone(
    Object.fromEntries(PRE_PULL_KEYS.map((key) => [key, options[key]])),
  ) as PrePull;
}

/** Puts everything back that a pull changed; before every new connection. */
export function restorePrePull(options: Options): void {
  if (options.prePull !== undefined) Object.assign(options, structuredClone(options.prePull));
  options.pushContinuation = 0;
  options.protocolFlags = { ccExit: false, tlsEkm: false, dynTlsCrypt: false, epoch: false };
  options.peerId = undefined;
}

const PRE_PULL_KEYS = [
  'routes',
  'routesIpv6',
  'redirectGateway',
  'routeGateway',
  'routeIpv6Gateway',
  'routeGatewayViaDhcp',
  'dhcpOptions',
  'dns',
  'cipher',
  'auth',
  'ping',
  'pingRecTimeout',
  'pingRecAction',
  'compress',
  'clientNat',
  'blockIpv6',
  'setenv',
] as const satisfies readonly (keyof PrePull)[];

const IMPORT_LINES: readonly { readonly kind: ImportKind; readonly level: number; readonly text: string }[] =
  [
    { kind: 'messages', level: D_PUSH, text: 'OPTIONS IMPORT: --verb and/or --mute level changed' },
    { kind: 'timers', level: D_PUSH_DEBUG, text: 'OPTIONS IMPORT: timers and/or timeouts modified' },
    {
      kind: 'explicit-notify',
      level: D_PUSH_DEBUG,
      text: 'OPTIONS IMPORT: explicit notify parm(s) modified',
    },
    { kind: 'comp', level: D_PUSH_DEBUG, text: 'OPTIONS IMPORT: compression parms modified' },
    { kind: 'shaper', level: D_PUSH, text: 'OPTIONS IMPORT: traffic shaper enabled' },
    { kind: 'sockbuf', level: D_PUSH, text: 'OPTIONS IMPORT: --sndbuf/--rcvbuf options modified' },
    { kind: 'sockflags', level: D_PUSH, text: 'OPTIONS IMPORT: --socket-flags option modified' },
    { kind: 'persist', level: D_PUSH, text: 'OPTIONS IMPORT: --persist options modified' },
    { kind: 'up', level: D_PUSH, text: 'OPTIONS IMPORT: --ifconfig/up options modified' },
    { kind: 'route', level: D_PUSH, text: 'OPTIONS IMPORT: route options modified' },
    { kind: 'route-extras', level: D_PUSH, text: 'OPTIONS IMPORT: route-related options modified' },
    {
      kind: 'dhcpdns',
      level: D_PUSH,
      text: 'OPTIONS IMPORT: --ip-win32 and/or --dhcp-option options modified',
    },
    { kind: 'setenv', level: D_PUSH, text: 'OPTIONS IMPORT: environment modified' },
    { kind: 'peer-id', level: D_PUSH_DEBUG, text: 'OPTIONS IMPORT: peer-id set' },
  ];

const PUSHED_COMPRESSION =
  'OPTIONS ERROR: server pushed compression settings that are not allowed and will result in a non-working connection. See also allow-compression in the manual.';
const FAILED_TO_APPLY = 'ERROR: Failed to apply push options';

/** A pushed tun-mtu is used as far as the buffers made for --tun-mtu-max go. */
function pushedMtuLines({ ce }: Options): LogLine[] {
  const pushed = ce.tunMtu;
  const messages = [{ level: D_PUSH, text: `OPTIONS IMPORT: tun-mtu set to ${pushed}` }];
  if (pushed <= ce.tunMtuMax) return messages;
  ce.tunMtu = ce.tunMtuMax;
  const text = `Server-pushed tun-mtu is too large, please add tun-mtu-max ${pushed} in the client configuration`;
  return [...messages, { level: D_PUSH_ERRORS, text }];
}

/** Exit notification over TCP is taken back. */
function exitNotifyLine({ ce }: Options, usual: LogLine): LogLine {
  if (isUdp(ce.proto) || ce.explicitExitNotify === 0) return { level: usual.level, text: usual.text };
  ce.explicitExitNotify = 0;
  return {
    level: D_PUSH,
    text: 'OPTIONS IMPORT: --explicit-exit-notify can only be used with --proto udp',
  };
}

/** The first filter whose prefix fits decides. `piece` is encoded text. */
export function filterPulled(
  options: Options,
  piece: string,
  messages: LogLine[],
): 'accept' | 'ignore' | 'reject' {
  if (options.pullFilters.length === 0) return 'accept';
  let start = 0;
  while (start < piece.length && isSpace(piece[start]!)) start++;
  const option = decodeToken(piece.slice(start));
  const filter = options.pullFilters.find(({ prefix }) => option.startsWith(prefix));
  if (filter === undefined) return 'accept';
  if (filter.type === 'accept') {
    messages.push({ level: D_LOW, text: `Pushed option accepted by filter: '${option}'` });
  } else if (filter.type === 'ignore') {
    messages.push({ level: D_PUSH, text: `Pushed option removed by filter: '${option}'` });
  } else {
    messages.push({ level: M_WARN, text: `Pushed option rejected by filter: '${option}'. Restarting.` });
  }
  return filter.type;
}

function addWords(
  parser: Parameters<typeof addOption>[0],
  tokens: readonly string[],
  place: Parameters<typeof addOption>[2],
): void {
  const [first, ...rest] = tokens;
  if (first === undefined) return;
  addOption(parser, [first, ...rest].map(decodeToken), place);
}
