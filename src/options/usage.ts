/**
 * Texts on standard output: configuration errors, --version and --help (2.x options.c usage(),
 * usage_small(), usage_version(); error.c). The first line of --version is 2.x's, since scripts read
 * the version from it, with our own name behind. Help comes from the option table.
 */
import type { OptionsError } from '../base/base.ts';
import { ConfigError } from './config-error.ts';
import type { OptionRow } from './option-row.ts';
import { OPTION_SECTIONS } from './option-table.ts';
import { OPENVPN_VERSION } from './version.ts';

/** What only the program knows about itself. */
export interface VersionInfo {
  /** GNU triplet as 2.x prints it, e.g. `x86_64-pc-linux-gnu`. */
  readonly target: string;
  /** Version of openvpn-ts. */
  readonly appVersion: string;
  /** E.g. `OpenSSL 3.0.15 3 Sep 2024`. */
  readonly sslLibrary: string;
  /** E.g. `LZ4`, in the order of the banner. */
  readonly features: readonly string[];
}

/** How an error ends the program. */
export interface ErrorOutput {
  /** Lines for standard output or the log, in order. */
  readonly lines: readonly string[];
  /** The lines get timestamps, as run-time messages do. */
  readonly timestamp: boolean;
}

/** The lines 2.x prints for a configuration error before it exits with status 1. */
export function formatOptionsError(error: OptionsError): ErrorOutput {
  const kind = error instanceof ConfigError ? error.kind : 'usage';
  if (kind === 'fatal') return { lines: [error.message, 'Exiting due to fatal error'], timestamp: true };
  const first = kind === 'raw' ? error.message : `Options error: ${error.message}`;
  return { lines: [first, 'Use --help for more information.'], timestamp: false };
}

/** First line of --version and of the start-up banner. */
export function titleLine({ target, appVersion, features }: VersionInfo): string {
  const words = [`openvpn-ts ${appVersion}`, ...features].map((word) => `[${word}]`);
  return `OpenVPN ${OPENVPN_VERSION} ${target} ${words.join(' ')}`;
}

/** `library versions: ...`, second line of the banner. */
export function libraryLine({ sslLibrary }: VersionInfo): string {
  return `library versions: ${sslLibrary}`;
}

/** Everything --version prints, with a final newline. */
export function formatVersion(info: VersionInfo): string {
  return [
    titleLine(info),
    libraryLine(info),
    'DCO version: N/A',
    'Ported to TypeScript from OpenVPN 2.x, originally developed by James Yonan',
    'Licence: GPL-2.0-only',
    '',
  ].join('\n');
}

/** Everything --help prints, with a final newline. */
export function formatHelp(info: VersionInfo): string {
  const sections = OPTION_SECTIONS.map(({ title, rows }) => ({ title, rows: rows.filter(isShown) }))
    .filter(({ rows }) => rows.length > 0)
    .map(({ title, rows }) => `${title}:\n${rows.map(helpEntry).join('\n')}`);
  return `${[titleLine(info), 'Usage: openvpn FILE\n       openvpn --option [value...] ...', ...sections].join('\n\n')}\n`;
}

const HELP_COLUMN = 32;
const HELP_WIDTH = 78;

function isShown({ supported }: OptionRow): boolean {
  return supported === 'yes' || supported === 'ignored';
}

function helpEntry({ name, usage, help }: OptionRow): string {
  const head = `--${name}${usage === '' ? '' : ` ${usage}`}`;
  const lines = wrap(help, HELP_WIDTH - HELP_COLUMN);
  const indent = ' '.repeat(HELP_COLUMN);
  if (head.length >= HELP_COLUMN) return [head, ...lines.map((line) => indent + line)].join('\n');
  return lines.map((line, index) => (index === 0 ? head.padEnd(HELP_COLUMN) : indent) + line).join('\n');
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
