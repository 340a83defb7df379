/**
 * The default backends: the native addon where it loads, Node's own modules elsewhere.
 */

import { type Logger, TlsError } from '../base/base.ts';
import { createClock } from '../base/clock-node.ts';
import { M_WARN } from '../base/errlevel.ts';
import { createNodeCompression } from '../comp/comp-node.ts';
import { createNativeCrypto } from '../crypto/crypto-native.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import {
  loadNative,
  type NativeAddon,
  nativeForTunOnly,
  nativeMissingReason,
  nativeTurnedOff,
} from '../native/native.ts';
import { createIproute2 } from '../route/networking-iproute2.ts';
import { createNetlink } from '../route/networking-netlink-linux.ts';
import { createScriptRunner } from '../script/script-runner-node.ts';
import { createNodeSockets } from '../socket/socket-factory-node.ts';
import { createNativeTuner } from '../socket/tuner-native.ts';
import { createNativeSockets } from '../socket/udp-native.ts';
import type { SslBackend } from '../ssl/ssl.ts';
import { createNativeSsl } from '../ssl/ssl-native.ts';
import { createNodeSsl } from '../ssl/ssl-node.ts';
import type { TunFactory } from '../tun/tun.ts';
import { createTunLinux } from '../tun/tun-linux.ts';
import { createTunNull } from '../tun/tun-null.ts';
import type { Providers } from './init.ts';
import { noPrompter } from './prompter.ts';

export interface ProviderChoice {
  readonly log: Logger;
  /** Descriptor for the output of scripts; undefined = ours. */
  readonly outputFd?: () => number | undefined;
  /** Descriptors that scripts share with us. */
  readonly inheritedFds?: readonly number[];
  /** false keeps to Node's modules even where the addon loads; only the TUN device is still the addon's. */
  readonly native?: boolean;
  /** The TLS engine; undefined = OPENVPN_TS_SSL, and without that the addon's where it loads. */
  readonly ssl?: TlsEngineName;
}

/** `node` is node:tls, `native` the addon on the same OpenSSL. */
export type TlsEngineName = 'node' | 'native';

/** Real providers; any of them may be replaced by the caller. */
export function createProviders(choice: ProviderChoice, replace: Partial<Providers> = {}): Providers {
  const native = choice.native ?? !nativeForTunOnly();
  const addon = native ? loadNative() : undefined;
  if (native && !addon && !nativeTurnedOff()) {
    choice.log.log(M_WARN, `WARNING: ${nativeMissingReason()}; Node's own modules serve instead, slower`);
  }
  const nodeCrypto = createNodeCrypto();
  const nodeSockets = createNodeSockets(addon && createNativeTuner(addon));
  return {
    crypto: addon ? createNativeCrypto(addon, nodeCrypto) : nodeCrypto,
    ssl: replace.ssl ?? createSsl(choice.ssl ?? process.env.OPENVPN_TS_SSL, addon),
    comp: createNodeCompression(),
    tun: withNullDevice(createTunLinux({ log: choice.log, ...(addon && { addon }) }), choice.log),
    socket: addon ? createNativeSockets(addon, nodeSockets) : nodeSockets,
    network: addon ? createNetlink({ log: choice.log, addon }) : createIproute2({ log: choice.log }),
    scripts: createScriptRunner({
      ...(choice.outputFd && { outputFd: choice.outputFd }),
      ...(choice.inheritedFds && { inheritedFds: choice.inheritedFds }),
    }),
    clock: createClock(),
    prompter: noPrompter,
    log: choice.log,
    random: Math.random,
    ...replace,
  };
}

/** The TLS engine asked for by name. Throws TlsError rather than to take the other one. */
function createSsl(name: string | undefined, addon: NativeAddon | undefined): SslBackend {
  if (name !== undefined && name !== '' && name !== 'node' && name !== 'native') {
    throw new TlsError(`OPENVPN_TS_SSL must be node or native, not '${name}'`);
  }
  if (name === 'native' && !addon) {
    throw new TlsError(`the native TLS engine can't be used: ${nativeMissingReason() ?? 'turned off'}`);
  }
  return addon && name !== 'node' ? createNativeSsl(addon) : createNodeSsl();
}

/** `--dev null` needs no kernel device, whatever else the factory opens. */
function withNullDevice(factory: TunFactory, log: Logger): TunFactory {
  const none = createTunNull(log);
  return {
    name: factory.name,
    open: (options) => (options.dev === 'null' ? none.open(options) : factory.open(options)),
  };
}
