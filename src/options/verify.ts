/**
 * Sanity checks of a complete configuration (2.x options.c options_postprocess_verify()), by the rules of
 * verify-rules.ts, and warnings about what is allowed but doubtful.
 */
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import { ConfigError, type LogLine } from './config-error.ts';
import type { ConnectionEntry } from './connection-entry.ts';
import { dnsProblem } from './dns-options.ts';
import type { Options } from './option-types.ts';
import { isUdp } from './proto.ts';
import { type Brought, rulesOf } from './verify-rules.ts';

/**
 * Checks every profile against the rest; `brought` stands for options. Throws ConfigError;
 * warnings go to `messages`.
 */
export function verifyOptions(options: Options, messages: LogLine[], brought: Brought): void {
  for (const entry of options.connectionList) {
    for (const [broken, text, level] of rulesOf(options, entry, brought)) {
      if (!broken) continue;
      if (level === undefined) throw new ConfigError(text);
      messages.push({ level, text });
    }
  }
  const problem = dnsProblem(options.dns);
  if (problem !== undefined) throw new ConfigError(problem, 'fatal');
}

/**
 * Lines about settings that are allowed but doubtful, for the start of each connection (2.x init.c
 * do_option_warnings(), do_setup_fast_io()). `entry` is its profile.
 */
export function optionWarnings(
  options: Options,
  entry: ConnectionEntry = options.connectionList[0] ?? options.ce,
  firstTime = true,
): LogLine[] {
  const texts: (string | false)[] = [
    options.ping !== 0 &&
      options.pingRecTimeout === 0 &&
      !restartsBeforePull(options, entry) &&
      'WARNING: --ping should normally be used with --ping-restart or --ping-exit',
    ...rightsWarnings(options),
    options.pull &&
      options.ifconfig !== undefined &&
      firstTime &&
      'WARNING: using --pull/--client and --ifconfig together is probably not what you want',
    options.serverBridge !== undefined && BRIDGE_NOTE,
    ...(options.mode === 'server' ? serverWarnings(options) : []),
    options.tlsClient &&
      !verifiesServer(options) &&
      'WARNING: No server certificate verification method has been enabled.  See http://openvpn.net/howto.html#mitm for more info.',
    options.nsCertType !== undefined &&
      'WARNING: --ns-cert-type is DEPRECATED.  Use --remote-cert-tls instead.',
    options.userScriptUsed && scriptWarning(options),
  ];
  const warnings = texts.filter((text) => text !== false).map((text) => ({ level: M_WARN, text }));
  const note = fastIoNote(options, entry);
  return note === undefined ? warnings : [...warnings, { level: M_INFO, text: note }];
}

/** A pulling UDP client without ping settings restarts after a silence until the server says otherwise. */
export function restartsBeforePull({ pingRecAction, pull }: Options, { proto }: ConnectionEntry): boolean {
  return pull && pingRecAction === 'none' && isUdp(proto);
}

function rightsWarnings(options: Options): (string | false)[] {
  const { user, group, chroot } = options;
  const changes = user !== undefined || group !== undefined || chroot !== undefined;
  return [
    changes &&
      !options.persistTun &&
      'WARNING: you are using user/group/chroot/setcon without persist-tun -- this may cause restarts to fail',
    changes &&
      !options.persistKey &&
      'WARNING: you are using user/group/chroot/setcon without persist-key -- this may cause restarts to fail',
    chroot !== undefined &&
      (user === undefined || group === undefined) &&
      'WARNING: you are using chroot without specifying user and group -- this may cause the chroot jail to be insecure',
  ];
}

/** --fast-io skips a wait that isn't done here in any case; where 2.x can't skip it it says so. */
function fastIoNote({ fastIo, shaper }: Options, { proto }: ConnectionEntry): string | undefined {
  if (!fastIo) return undefined;
  if (!isUdp(proto)) return 'NOTE: --fast-io is disabled since we are not using UDP';
  return shaper === 0 ? undefined : 'NOTE: --fast-io is disabled since we are using --shaper';
}

const BRIDGE_NOTE =
  'NOTE: when bridging your LAN adapter with the TAP adapter, note that the new bridge adapter will often take on its own IP address that is different from what the LAN adapter was previously set to';

function serverWarnings(options: Options): (string | false)[] {
  return [
    options.duplicateCn &&
      options.clientConfigDir !== undefined &&
      'WARNING: using --duplicate-cn and --client-config-dir together is probably not what you want',
    options.duplicateCn &&
      options.ifconfigPoolPersist !== undefined &&
      'WARNING: --ifconfig-pool-persist will not work with --duplicate-cn',
    (options.keepalive?.ping ?? 0) === 0 && 'WARNING: --keepalive option is missing from server config',
  ];
}

function verifiesServer(options: Options): boolean {
  return (
    options.tlsVerify !== undefined ||
    options.verifyX509Name !== undefined ||
    options.nsCertType === 'server' ||
    options.remoteCertEku !== undefined ||
    options.peerFingerprints !== undefined
  );
}

function scriptWarning({ scriptSecurity }: Options): string {
  return scriptSecurity >= 2
    ? 'NOTE: the current --script-security setting may allow this configuration to call user-defined scripts'
    : "NOTE: starting with OpenVPN 2.1, '--script-security 2' or higher is required to call user-defined scripts or executables";
}
