/**
 * Message levels and flags, names and values as in 2.x errlevel.h and error.h (2.6).
 * Low nibble: verbosity at which the message appears. Bits 4-15: kind. Bits 24-31: mute category,
 * so that --mute N silences repeats of one category without hiding others; what has none (0) is never muted.
 */
const level = (verb: number, mute: number): number => verb | (mute << 24);

export const M_FATAL = 1 << 4;
export const M_NONFATAL = 1 << 5;
export const M_WARN = 1 << 6;
export const M_DEBUG = 1 << 7;
export const M_ERRNO = 1 << 8;
export const M_NOMUTE = 1 << 11;
export const M_NOPREFIX = 1 << 12;
export const M_USAGE = 1 << 13;
/**
 * Ours, and not shown in flags: a line that whoever reaches the port can cause with every packet. The log takes so
 * many a second. Ask enabled() with this flag before building the text.
 */
export const M_STRANGER = 1 << 16;

/** Shown whatever --verb says. */
export const M_VERB0 = level(0, 0);
export const M_INFO = level(1, 0);

export const D_LINK_ERRORS = level(1, 1) | M_NONFATAL;
export const D_CRYPT_ERRORS = level(1, 2) | M_NONFATAL;
export const D_TLS_ERRORS = level(1, 3) | M_NONFATAL;
export const D_RESOLVE_ERRORS = level(1, 4) | M_NONFATAL;
export const D_COMP_ERRORS = level(1, 5) | M_NONFATAL;
export const D_REPLAY_ERRORS = level(1, 6) | M_NONFATAL;
export const D_STREAM_ERRORS = level(1, 7) | M_NONFATAL;
export const D_IMPORT_ERRORS = level(1, 8) | M_NONFATAL;
export const D_MULTI_ERRORS = level(1, 9) | M_NONFATAL;
export const D_PUSH_ERRORS = level(1, 11) | M_NONFATAL;
export const D_PID_PERSIST = level(1, 12) | M_NONFATAL;
export const D_FRAG_ERRORS = level(1, 13) | M_NONFATAL;

export const D_HANDSHAKE = level(2, 20);
export const D_CLOSE = level(2, 22);
export const D_PROXY = level(2, 24);

export const D_TLS_DEBUG_LOW = level(3, 20);
export const D_GENKEY = level(3, 31);
/** Never muted. */
export const D_ROUTE = level(3, 0);
export const D_RESTART = level(3, 33);
export const D_PUSH = level(3, 34);
export const D_IFCONFIG_POOL = level(3, 35);
export const D_MULTI_LOW = level(3, 38);
export const D_SCHED_EXIT = level(3, 41);
export const D_ROUTE_QUOTA = level(3, 42);
export const D_OSBUF = level(3, 43);
export const D_DCO = level(3, 0);

export const D_LOW = level(4, 52);
export const D_MULTI_DROPPED = level(4, 57);
export const D_MULTI_MEDIUM = level(4, 58);
export const D_MTU_INFO = level(4, 61);
export const D_CIPHER_INIT = level(4, 65);

export const D_TLS_STATE_ERRORS = level(7, 70) | M_DEBUG;
export const D_PUSH_DEBUG = level(7, 73) | M_DEBUG;
export const D_SHOW_OCC = level(7, 74) | M_DEBUG;
export const D_PING = level(7, 70) | M_DEBUG;
export const D_COMP_LOW = level(7, 70) | M_DEBUG;
export const D_MULTI_DEBUG = level(7, 70) | M_DEBUG;
export const D_VLAN_DEBUG = level(7, 74) | M_DEBUG;
export const D_TLS_DEBUG_MED = level(8, 70) | M_DEBUG;
export const D_PACKET_CONTENT = level(9, 70) | M_DEBUG;
export const D_PID_PERSIST_DEBUG = level(9, 70) | M_DEBUG;

/** Verbosity of a level constant, 0..15. */
export function levelOf(flags: number): number {
  return flags & 0x0f;
}

/** Mute category of a level constant; repeated lines of one category count towards --mute, those of 0 never do. */
export function muteCategoryOf(flags: number): number {
  return (flags >>> 24) & 0xff;
}
