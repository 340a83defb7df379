/**
 * The default backends: the native addon where it loads, Node's own modules elsewhere.
 */

import type { Logger } from '../base/base.ts';
import { createClock } from '../base/clock-node.ts';
import { createNodeCompression } from '../comp/comp-node.ts';
import { createNativeCrypto } from '../crypto/crypto-native.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import { loadNative } from '../native/native.ts';
import { createIproute2 } from '../route/networking-iproute2.ts';
import { createScriptRunner } from '../script/script-runner-node.ts';
import { createNodeSockets } from '../socket/socket-factory-node.ts';
import { createNativeSockets } from '../socket/udp-native.ts';
import { createNodeSsl } from '../ssl/ssl-node.ts';
import type { TunFactory } from '../tun/tun.ts';
import { createTunLinux } from '../tun/tun-linux.ts';
import { createTunNull } from '../tun/tun-null.ts';
import type { Providers } from './init.ts';

export interface ProviderChoice {
  readonly log: Logger;
  /** Descriptor for the output of scripts; undefined = ours. */
  readonly outputFd?: () => number | undefined;
  /** false keeps to Node's modules even where the addon loads. */
  readonly native?: boolean;
}

/** Real providers; any of them may be replaced by the caller. */
export function createProviders(choice: ProviderChoice, replace: Partial<Providers> = {}): Providers {
  const addon = choice.native === false ? undefined : loadNative();
  const nodeCrypto = createNodeCrypto();
  const nodeSockets = createNodeSockets();
  return {
    crypto: addon ? createNativeCrypto(addon, nodeCrypto) : nodeCrypto,
    ssl: createNodeSsl(),
    comp: createNodeCompression(),
    tun: withNullDevice(createTunLinux({ log: choice.log, ...(addon && { addon }) })),
    socket: addon ? createNativeSockets(addon, nodeSockets) : nodeSockets,
    network: createIproute2({ log: choice.log }),
    scripts: createScriptRunner({ ...(choice.outputFd && { outputFd: choice.outputFd }) }),
    clock: createClock(),
    log: choice.log,
    random: Math.random,
    ...replace,
  };
}

/** `--dev null` needs no kernel device, whatever else the factory opens. */
function withNullDevice(factory: TunFactory): TunFactory {
  const none = createTunNull();
  return {
    name: factory.name,
    open: (options) => (options.dev.startsWith('null') ? none.open(options) : factory.open(options)),
  };
}
