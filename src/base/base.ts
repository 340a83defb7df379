/**
 * Floor 0: what every other folder stands on. Logger and 2.x message levels (error.h, errlevel.h),
 * clocks (otime.h), error tree, link addresses (socket.h), packet batches (buffer.h, mtu.h).
 * Nothing here does I/O; real clocks and log sinks are passed in from floor 5.
 */
export {
  ADDRESS_WORDS,
  type AddressFamily,
  addressFromWords,
  addressKey,
  addressToWords,
  formatAddress,
  formatIp,
  type LinkAddress,
  parseIp,
  parseIpBytes,
  receivedAddress,
  sameAddress,
  sameAddressWords,
} from './address.ts';
export { AddressMap } from './address-map.ts';
export { bytesOfText, hasOtherBytes, textOfBytes } from './byte-text.ts';
/** timerDelay(ms): what a timer can take of a wait. */
export { type Clock, ManualClock, timerDelay } from './clock.ts';
export { errnoLine, errnoReason, errnoText } from './errno-text.ts';
export {
  ApiMisuseError,
  AuthFailedError,
  CryptoError,
  errorMessage,
  LinkError,
  ManagementError,
  OpenVpnError,
  OptionsError,
  TlsError,
  TunError,
} from './errors.ts';
export { type FaultEntry, Faults } from './faults.ts';
export { ipv4FromNumber, ipv4ToNumber, netmaskOfPrefix, prefixOfNetmask, sameNetwork } from './ipv4.ts';
export { type Logger, MemoryLogger, nullLogger } from './log.ts';
export { PACKET_HEADROOM, PACKET_TAILROOM, PacketBatch } from './packet-batch.ts';
export { PeerAddress } from './peer-address.ts';
export { timeText } from './time-text.ts';
