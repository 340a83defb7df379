/**
 * Header of options/ (2.x options.h, options_parse.c, options_string.c, helper.c, push/pull filter):
 * from words and config text to one typed `Options` object, and back to the texts that peers compare.
 *
 *   argv --> parseArgv() --+
 *   text --> parseConfig() +--> lexer --> option table (one row per directive) --> Options
 *                               helpers, defaults, sanity checks, file checks (postprocess.ts)
 *   PUSH_REPLY --> applyPulledOptions()      CCD, client-connect --> parseClientConfig()
 *
 * Pure: files are reached through `ConfigFileSystem` (config-files-node.ts is the real one). Bad
 * configuration throws OptionsError, whose text formatOptionsError() turns into 2.x's exact output.
 */

/** parseIpv6Prefix(text): `address/bits` as 2.x reads it, undefined when bad. */
export { parseIpv6Prefix } from './addresses.ts';
/** parseClientConfig(text, label, base): { options, messages }; the context-D options over a clone of `base`. */
export { type ClientConfigResult, parseClientConfig } from './client-config.ts';
export type { PullFilter } from './client-options.ts';
export type { ConfigErrorKind } from './config-error.ts';
export type { ConfigFileSystem, FileProblem, FileStat } from './config-files.ts';
/** createConfigFilesMemory(contents): files that are texts in memory. */
export { createConfigFilesMemory } from './config-files-memory.ts';
export type { ConnectionEntry, HttpProxyOptions, Mssfix, ProtoName } from './connection-entry.ts';
/** epochAllowed(options): whether the epoch data format may be announced and negotiated. */
export { epochAllowed } from './data-ciphers.ts';
/** cloneOptions(options): Options; a deep copy, one per client of a server. */
export { cloneOptions, defaultOptions } from './defaults.ts';
export type { GenkeyOptions, ToolMode } from './generic-options.ts';
/** ifconfigAdvice(options): a warning about --ifconfig, or undefined. */
export { ifconfigAdvice } from './ifconfig-advice.ts';
export { type LexedLine, splitCommand } from './lexer.ts';
export { listenEntries } from './listen.ts';
export type { FileOrInline, KeyDirection } from './material.ts';
export type {
  DnsOptions,
  DnsServer,
  RedirectGateway,
  RouteIpv6Option,
  RouteOption,
} from './network-options.ts';
export type { ImportKind } from './option-row.ts';
export type { Options, PrePull } from './option-types.ts';
/**
 * optionsString({ options, ce, remote }): string; `remote: true` gives what the peer is expected to send.
 * optionsWarnings(expected, actual): LogLine[].
 */
export { optionsString, optionsWarnings } from './options-string.ts';
/**
 * parseArgv(argv, env): ParseResult; argv without the program's name. parseConfig(text, env?): ParseResult.
 * OptionsError when the configuration can't be used; `env.messages` and `env.options` have what came before.
 */
export { type LogLine, type ParseEnvironment, type ParseResult, parseArgv, parseConfig } from './parse.ts';
/** useConnection(options, entry): makes a profile of connectionList the one in use, `options.ce`. */
export { useConnection } from './postprocess.ts';
/** devTypeOf(options), isNullDevice(options), isUdp(proto), isTcp(proto), protoFamily(proto): 0 | 4 | 6, portNumber(text). */
export {
  devTypeOf,
  isNullDevice,
  isTcp,
  isUdp,
  type ProtoKind,
  portNumber,
  protoFamily,
  protoKind,
} from './proto.ts';
/**
 * applyPulledOptions(options, items): PullResult; items are the comma-separated parts of PUSH_REPLY,
 * already without `PUSH_REPLY` itself. finishPull(options, imports) after the last part gives the OPTIONS
 * IMPORT lines. restorePrePull(options), then useConnection(), before each new connection.
 */
export { applyPulledOptions, finishPull, importLines, type PullResult, restorePrePull } from './pull.ts';
export type { IrouteOption } from './server-options.ts';
export type { TlsVersion } from './tls-options.ts';
export type { DevType, IfconfigIpv6, IfconfigPair, Topology } from './tunnel-options.ts';
/** applyPushUpdate(options, items): PullResult of a whole PUSH_UPDATE; finishPull() follows. */
export { applyPushUpdate } from './update.ts';
/** formatOptionsError(error): the lines 2.x prints; formatVersion(info), formatHelp(info): their texts. */
export {
  type ErrorOutput,
  formatHelp,
  formatOptionsError,
  formatVersion,
  libraryLine,
  titleLine,
  type VersionInfo,
} from './usage.ts';
/** optionWarnings(options, entry?, firstTime?): lines for the start of a connection. */
export { optionWarnings } from './verify.ts';
export { OPENVPN_VERSION } from './version.ts';
