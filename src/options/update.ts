/**
 * What a client does with PUSH_UPDATE (2.7 options_util.c check_push_update_option_flags(), options.c
 * update_option(), remove_option()): options change while the tunnel is up.
 *
 *   [-][?]option    - takes the option back, ? lets an option that can't be updated pass
 *
 * The first route, route-ipv6, redirect-*, dns or dhcp-option of an update replaces all of its kind. The
 * table's context letter U says what may be updated.
 */
import { D_PUSH, D_PUSH_ERRORS, M_WARN } from '../base/errlevel.ts';
import { addOption, type Parser, type Place, report } from './add-option.ts';
import type { LogLine } from './config-error.ts';
import { TUN_MTU_DEFAULT } from './connection-entry.ts';
import { defaultOptions } from './defaults.ts';
import { decodeToken, encodeText, splitConfigLine } from './lexer.ts';
import type { ImportKind } from './option-row.ts';
import { findOption } from './option-table.ts';
import type { Options } from './option-types.ts';
import { filterPulled, type PullResult } from './pull.ts';
import { createParser } from './read-config.ts';
import { OPENVPN_VERSION } from './version.ts';

const LABEL = '[PUSH-OPTIONS]';
const OFFENDING = 'Offending option received from server';

/** One item of an update without its flags. */
export interface UpdateItem {
  readonly text: string;
  readonly remove: boolean;
  readonly optional: boolean;
}

/** Reads the flags of an item; undefined when they make no sense. */
export function readUpdateItem(item: string): UpdateItem | undefined {
  const match = /^\s*(-?)(\??)(.*)$/s.exec(item);
  const [, minus = '', question = '', text = ''] = match ?? [];
  const flagged = minus !== '' || question !== '';
  if (match === null || (flagged && (text === '' || (question !== '' && text.startsWith('-')))))
    return undefined;
  return { text, remove: minus !== '', optional: question !== '' };
}

/**
 * Applies the items of a whole update (all its messages) to `options`, in place. Afterwards call
 * finishPull(); without imports nothing changed.
 */
export function applyPushUpdate(options: Options, items: readonly string[]): PullResult {
  const messages: LogLine[] = [];
  const parser = createParser({
    options,
    context: 'P',
    errorLevel: D_PUSH_ERRORS,
    messages,
    files: undefined,
  });
  const replaced = new Set<ListKind>();
  for (const [index, item] of items.entries()) {
    const place = { file: LABEL, line: index + 1, inline: false, level: 0 };
    const verdict = readAndFilter(options, item, messages);
    if (verdict === 'offending') return { messages, imports: parser.imports, restart: OFFENDING };
    if (verdict !== 'ignored') applyItem(parser, verdict, place, replaced);
  }
  return { messages, imports: parser.imports, restart: undefined };
}

function readAndFilter(
  options: Options,
  item: string,
  messages: LogLine[],
): UpdateItem | 'ignored' | 'offending' {
  const read = readUpdateItem(item);
  if (read === undefined) return 'offending';
  const failed = read.optional ? 'ignored' : 'offending';
  if (!isUpdatable(read.text)) {
    if (read.optional) {
      const text = `Pushed dispensable option is not updatable: '${item}'. Ignoring.`;
      messages.push({ level: D_PUSH, text });
    } else {
      messages.push({ level: M_WARN, text: `Pushed option is not updatable: '${item}'.` });
    }
    return failed;
  }
  const filtered = filterPulled(options, encodeText(read.text), messages);
  if (filtered === 'reject') return failed;
  return filtered === 'ignore' ? 'ignored' : read;
}

function isUpdatable(text: string): boolean {
  const name = text.split(' ', 1)[0] ?? '';
  return findOption(name)?.contexts.includes('U') ?? false;
}

function applyItem(parser: Parser, item: UpdateItem, place: Place, replaced: Set<ListKind>): void {
  const lexed = splitConfigLine(encodeText(item.text), `${LABEL}:${place.line}`);
  if ('problem' in lexed) {
    report(parser, lexed.problem, place, lexed.raw);
    return;
  }
  const [name, ...values] = lexed.tokens.map(decodeToken);
  if (name === undefined) return;
  if (item.remove) {
    removeOption(parser, name, values, place);
    return;
  }
  const kind = listKindOf(name);
  if (kind !== undefined && !replaced.has(kind) && values.length > 0) {
    replaced.add(kind);
    REMOVALS[kind].apply(parser.options);
  }
  if (name === 'keepalive' && values.length === 2) {
    addOption(parser, ['ping', values[0]!], place);
    addOption(parser, ['ping-restart', values[1]!], place);
  } else {
    addOption(parser, [name, ...values], place);
  }
}

/** Options of which there may be many. */
type ListKind = 'route' | 'route-ipv6' | 'redirect-gateway' | 'dns' | 'dhcp-option';

function listKindOf(name: string): ListKind | undefined {
  if (name === 'redirect-private') return 'redirect-gateway';
  const kinds: readonly ListKind[] = ['route', 'route-ipv6', 'redirect-gateway', 'dns', 'dhcp-option'];
  return kinds.find((kind) => kind === name);
}

interface Removal {
  readonly imports: ImportKind;
  apply(options: Options): void;
}

/** How each option is taken back. */
const REMOVALS = {
  ifconfig: {
    imports: 'up',
    apply: (o) => {
      o.ifconfig = undefined;
    },
  },
  'ifconfig-ipv6': {
    imports: 'up',
    apply: (o) => {
      o.ifconfigIpv6 = undefined;
    },
  },
  route: {
    imports: 'route',
    apply: (o) => {
      o.routes = [];
    },
  },
  'route-ipv6': {
    imports: 'route',
    apply: (o) => {
      o.routesIpv6 = [];
    },
  },
  'route-gateway': {
    imports: 'route-extras',
    apply: (o) => {
      o.routeGateway = undefined;
      o.routeGatewayViaDhcp = false;
    },
  },
  'route-metric': {
    imports: 'route',
    apply: (o) => {
      o.routeMetric = 0;
    },
  },
  'push-continuation': {
    imports: 'echo',
    apply: (o) => {
      o.pushContinuation = 0;
    },
  },
  'redirect-gateway': {
    imports: 'route',
    apply: (o) => {
      o.redirectGateway = defaultOptions().redirectGateway;
    },
  },
  dns: {
    imports: 'dhcpdns',
    apply: (o) => {
      // What finishPull() made of them goes, too.
      if (o.dns.servers.length > 0) o.dhcpOptions = o.dhcpOptions.filter((option) => !/^DNS6? /.test(option));
      if (o.dns.searchDomains.length > 0)
        o.dhcpOptions = o.dhcpOptions.filter((option) => !option.startsWith('DOMAIN-SEARCH'));
      o.dns = { searchDomains: [], servers: [], serversPrePull: [] };
    },
  },
  'dhcp-option': {
    imports: 'dhcpdns',
    apply: (o) => {
      o.dhcpOptions = [];
    },
  },
  topology: {
    imports: 'up',
    apply: (o) => {
      o.topology = defaultOptions().topology;
    },
  },
  'tun-mtu': {
    imports: 'push-mtu',
    apply: (o) => {
      o.ce.tunMtu = TUN_MTU_DEFAULT;
      o.ce.tunMtuDefined = false;
      o.ce.occMtu = 0;
    },
  },
  'block-ipv6': {
    imports: 'route',
    apply: (o) => {
      o.blockIpv6 = false;
    },
  },
} as const satisfies Readonly<Record<string, Removal>>;

function removeOption(parser: Parser, name: string, values: readonly string[], place: Place): void {
  const key = name === 'redirect-private' ? 'redirect-gateway' : name;
  const known: Readonly<Record<string, Removal>> = REMOVALS;
  const removal = Object.hasOwn(known, key) ? known[key] : undefined;
  if (removal === undefined || values.length > 0) {
    const text = `Unrecognized option or missing or extra parameter(s) in ${LABEL}:${place.line}: -${name} (${OPENVPN_VERSION})`;
    report(parser, text, place);
    return;
  }
  removal.apply(parser.options);
  parser.imports.add(removal.imports);
}
