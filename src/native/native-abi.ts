/**
 * Whether a loaded addon is the one that native.ts describes. A build of other sources still loads, since
 * N-API is stable, and would fail at its first use: it counts as missing instead. What is compared: one
 * number for changes that names don't show, and the names of every function, class and method.
 */
import type { NativeAddon } from './native.ts';

/** Raised, here and as kAbi in native/addon.cc, when arguments or meaning of something change but no name. */
export const NATIVE_ABI = 2;

/** A class by the names of its methods and getters, `true` for a plain function. */
type Shape<T> = T extends abstract new (
  ...args: never[]
) => infer I
  ? { readonly [M in keyof I]: true }
  : true;

const POLLABLE = { fd: true, poll: true, ref: true, unref: true, close: true } as const;

/** The compiler holds these names against the interfaces. */
const SHAPES: { readonly [E in Exclude<keyof NativeAddon, 'abi'>]: Shape<NativeAddon[E]> } = {
  Tun: {
    ...POLLABLE,
    name: true,
    readBatch: true,
    writeBatch: true,
    setTxQueueLength: true,
    dropped: true,
    offload: true,
    pending: true,
  },
  Udp: {
    ...POLLABLE,
    localAddress: true,
    recvBatch: true,
    sendBatch: true,
    send: true,
    multihome: true,
    dropped: true,
    pending: true,
    syscalls: true,
  },
  AeadSealer: { nextPacketId: true, sealBatch: true, destroy: true },
  AeadOpener: { failures: true, openBatch: true, destroy: true },
  EpochSealer: { nextPacketId: true, sealBatch: true, destroy: true },
  EpochOpener: { failures: true, openBatch: true, destroy: true },
  Mac: { bytes: true, matches: true, write: true, destroy: true },
  AesCtr: { apply: true, destroy: true },
  TlsContext: {
    setVersions: true,
    setSecurityLevel: true,
    setCiphers: true,
    setCiphersuites: true,
    setGroups: true,
    addAuthorities: true,
    useCertificate: true,
    addExtraCertificates: true,
    usePrivateKey: true,
    useExternalKey: true,
    privateKeyFits: true,
    usePkcs12: true,
    setDh: true,
    close: true,
  },
  TlsSession: {
    state: true,
    write: true,
    send: true,
    output: true,
    plaintext: true,
    failure: true,
    chain: true,
    problem: true,
    exportKey: true,
    signRequest: true,
    provideSignature: true,
    refuseSignature: true,
    describe: true,
    close: true,
  },
  Netlink: { send: true, receive: true, close: true },
  interfaceIndex: true,
  interfaceName: true,
  supportsAead: true,
  loadProvider: true,
  splitFrame: true,
  coalesceBatch: true,
  setSocketOption: true,
  socketOption: true,
  bindToDevice: true,
  openTcpSocket: true,
  errorText: true,
  chroot: true,
  lockMemory: true,
  lockFile: true,
  returnMemory: true,
  userId: true,
  groupId: true,
  keepCapabilities: true,
  retainNetAdmin: true,
  tryThreads: true,
};

/** What of `addon` differs from what native.ts describes; undefined when nothing does. */
export function nativeMismatch(addon: unknown): string | undefined {
  return typeof addon === 'object' && addon !== null ? firstMismatch(addon) : 'everything';
}

function firstMismatch(addon: object): string | undefined {
  if (Reflect.get(addon, 'abi') !== NATIVE_ABI) return 'abi';
  for (const [name, shape] of Object.entries(SHAPES)) {
    const exported: unknown = Reflect.get(addon, name);
    if (typeof exported !== 'function') return name;
    const method = shape === true ? undefined : missingMethod(exported, Object.keys(shape));
    if (method !== undefined) return `${name}.${method}`;
  }
  return undefined;
}

/** Getters are looked for, not called: on a prototype they throw. */
function missingMethod(exported: object, names: readonly string[]): string | undefined {
  const prototype: unknown = Reflect.get(exported, 'prototype');
  if (typeof prototype !== 'object' || prototype === null) return 'prototype';
  return names.find((name) => !(name in prototype));
}
