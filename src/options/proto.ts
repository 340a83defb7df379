/**
 * Names of --proto and of devices (2.x socket.c proto_names[], ascii2proto(); tun.c dev_type_enum()).
 * `udp` and `tcp-client` without a digit leave the address family to name resolution.
 */
import type { ProtoName } from './connection-entry.ts';
import type { Options } from './option-types.ts';
import type { DevType } from './tunnel-options.ts';

/** 2.x order, as listed in the text about a bad --proto. */
export const PROTO_NAMES: readonly ProtoName[] = [
  'udp',
  'tcp-server',
  'tcp-client',
  'tcp',
  'udp4',
  'tcp4-server',
  'tcp4-client',
  'tcp4',
  'udp6',
  'tcp6-server',
  'tcp6-client',
  'tcp6',
];

/** What a profile does, whatever its address family; 'tcp' is still undecided. */
export type ProtoKind = 'udp' | 'tcp' | 'tcp-server' | 'tcp-client';

/** The protocol of this name, or undefined. Names are case sensitive. */
export function parseProto(text: string): ProtoName | undefined {
  return PROTO_NAMES.find((name) => name === text);
}

/** Every allowed name in brackets, as 2.x prints them; its first entry is 2.x's own placeholder. */
export function protoList(): string {
  return ['proto-uninitialized', ...PROTO_NAMES].map((name) => `[${name}]`).join(' ');
}

export function protoKind(proto: ProtoName): ProtoKind {
  return proto.replace(/[46]/, '') as ProtoKind;
}

/** Same address family, other kind: `withKind('tcp6', 'tcp-client')` is `tcp6-client`. */
export function withKind(proto: ProtoName, kind: ProtoKind): ProtoName {
  const family = protoFamily(proto);
  return kind.replace(/^(udp|tcp)/, `$1${family === 0 ? '' : family}`) as ProtoName;
}

export function isUdp(proto: ProtoName): boolean {
  return proto.startsWith('udp');
}

export function isTcp(proto: ProtoName): boolean {
  return proto.startsWith('tcp');
}

/** The family that the name demands; 0 = any. */
export function protoFamily(proto: ProtoName): 0 | 4 | 6 {
  return proto.includes('4') ? 4 : proto.includes('6') ? 6 : 0;
}

/** Port number of a --port text, or undefined for a service name or a number outside 0..65535. */
export function portNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}

/**
 * Device type by --dev-type, else by the first letters of --dev; undefined when neither says. The null
 * device counts as tun, as in 2.7: it throws everything away, whatever it is.
 */
export function devTypeOf(options: Pick<Options, 'dev' | 'devType'>): DevType | undefined {
  if (isDevType(options, 'tun') || isNullDevice(options)) return 'tun';
  return isDevType(options, 'tap') ? 'tap' : undefined;
}

/** Whether --dev-type or --dev ask for the device that throws everything away. */
export function isNullDevice(options: Pick<Options, 'dev' | 'devType'>): boolean {
  return isDevType(options, 'null');
}

function isDevType({ dev, devType }: Pick<Options, 'dev' | 'devType'>, type: string): boolean {
  if (dev === undefined) return false;
  return devType === undefined ? dev.startsWith(type) : devType === type;
}
