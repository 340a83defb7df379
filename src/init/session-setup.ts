/**
 * From options to one connection's control channel and session (2.x do_init_crypto(), do_init_timers() and
 * their like in init.c). Keys are read before anything is opened, so that a bad one leaves nothing behind.
 */
import { OptionsError } from '../base/base.ts';
import { compressionProblem, compressorFor } from '../comp/comp.ts';
import { timerOptions } from '../forward/forward.ts';
import { type ConnectionEntry, type Options, optionsString, optionsWarnings } from '../options/options.ts';
import { type CreateControl, tlsControl } from '../peer/peer.ts';
import type { ControlWrap } from '../reliable/reliable.ts';
import { defaultHardwareAddress } from '../route/route.ts';
import type { Hooks } from '../script/script.ts';
import type { ClientSessionConfig } from './client-session.ts';
import type { UserPass } from './credentials.ts';
import { frameOptions, innerOptions, maxPacketBytes } from './frame-setup.ts';
import type { Providers } from './init.ts';
import type { KeysWithoutTls } from './p2p.ts';
import type { OpenLink } from './peer-link.ts';
import type { TlsMaterials } from './tls-materials.ts';
import { LINK_OVERHEAD, tlsMultiConfig, usesTls } from './tls-setup.ts';

/** What makes the control channel of a link whose addresses are of `family`. */
export type PreparedControl = (family: 4 | 6) => CreateControl;

export interface ControlParts {
  readonly options: Options;
  readonly ce: ConnectionEntry;
  readonly providers: Providers;
  readonly hooks: Hooks;
  readonly userPass: UserPass;
  /** Undefined without TLS. */
  readonly materials: TlsMaterials | undefined;
  readonly wrap: () => ControlWrap;
  readonly keysWithoutTls: KeysWithoutTls;
}

/** Reads wrap keys or static keys. Rejects with CryptoError or OptionsError when they can't be used. */
export async function prepareControl(parts: ControlParts): Promise<PreparedControl> {
  const { options, ce, providers, hooks, userPass, materials, keysWithoutTls } = parts;
  if (!materials) {
    const control = keysWithoutTls.createControl();
    return () => () => control;
  }
  const wrap = parts.wrap();
  const hardwareAddress = options.pushPeerInfo ? await ownHardwareAddress(providers) : undefined;
  const env = options.setenv.map(({ name, value }) => `${name}=${value}`);
  return (family) =>
    tlsControl({
      ...tlsMultiConfig({
        options,
        ce,
        materials,
        wrap,
        family,
        providers,
        hooks,
        env,
        hardwareAddress,
        credentials: () => userPass.current(),
      }),
      log: providers.log,
    });
}

/** It says who we are and nothing more: without it the tunnel works all the same. */
async function ownHardwareAddress({ network }: Providers): Promise<string | undefined> {
  return defaultHardwareAddress(network).catch(() => undefined);
}

type Decided = 'link' | 'remote' | 'createControl' | 'serverPollMs' | 'totals' | 'signals';

/** What the options say about a session. Throws OptionsError for compression that 2.x refuses. */
export function sessionSettings(
  options: Options,
  ce: ConnectionEntry,
  { family, remote }: OpenLink,
  { crypto, clock, comp, log }: Providers,
): Omit<ClientSessionConfig, Decided> {
  const refused = compressionProblem(options.compress, comp);
  if (refused !== undefined) throw new OptionsError(refused);
  const asksForOptions = options.occ && !usesTls(options);
  return {
    pull: options.pull,
    handWindowMs: options.handWindow * 1000,
    renegMs: options.renegSec * 1000,
    linkOverheadBytes: LINK_OVERHEAD[family],
    clock,
    randomBytes: (length) => crypto.randomBytes(length),
    frame: frameOptions(options, ce, family),
    compressor: compressorFor(options.compress, comp, log),
    inner: innerOptions(options, remote),
    shaperBytes: options.shaper,
    mtuTest: options.mtuTest,
    needsRoute: usesTls(options),
    timers: timerOptions(options),
    localOptions: options.occ ? optionsString({ options, ce }) : undefined,
    ...(asksForOptions && {
      onPeerOptions: (text) => {
        const expected = optionsString({ options, ce, remote: true });
        for (const line of optionsWarnings(expected, text)) log.log(line.level, line.text);
      },
    }),
    maxPacketBytes: maxPacketBytes(ce),
    float: ce.float,
    muteReplayWarnings: options.muteReplayWarnings,
    log,
  };
}
