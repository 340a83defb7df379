// Internet checksums and the few header fields that segmenting needs (RFC 791, 8200, 9293, 1071).
//
// A checksum is a ones' complement sum of 16-bit words, which doesn't care for byte order: sums are
// taken over words as they lie in memory and stored the same way; numbers enter by htons().
#ifndef OPENVPN_TS_INET_H_
#define OPENVPN_TS_INET_H_

#include <arpa/inet.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ovpn {

constexpr size_t kIpv4Head = 20;
constexpr size_t kIpv6Head = 40;
constexpr size_t kTcpHead = 20;
constexpr size_t kMaxTcpHead = 60;
constexpr size_t kMaxIpPacket = 65535;
constexpr uint8_t kProtoTcp = 6;

// Offsets in the headers.
constexpr size_t kIpv4Length = 2, kIpv4Id = 4, kIpv4Fragment = 6, kIpv4Proto = 9, kIpv4Checksum = 10,
                 kIpv4Addresses = 12;
constexpr size_t kIpv6Length = 4, kIpv6Next = 6, kIpv6Addresses = 8;
constexpr size_t kTcpSeq = 4, kTcpDataOffset = 12, kTcpFlags = 13, kTcpChecksum = 16;

constexpr uint8_t kTcpFin = 0x01, kTcpPsh = 0x08, kTcpAck = 0x10, kTcpCwr = 0x80;

inline uint16_t Load16(const uint8_t* from) { return static_cast<uint16_t>(from[0] << 8 | from[1]); }

inline void Store16(uint8_t* to, size_t value) {
  to[0] = static_cast<uint8_t>(value >> 8);
  to[1] = static_cast<uint8_t>(value);
}

inline uint32_t Load32(const uint8_t* from) {
  return static_cast<uint32_t>(Load16(from)) << 16 | Load16(from + 2);
}

inline void Store32(uint8_t* to, uint32_t value) {
  Store16(to, value >> 16);
  Store16(to + 2, value & 0xffff);
}

inline uint64_t AddCarry(uint64_t sum, uint64_t word) {
  sum += word;
  return sum + (sum < word ? 1 : 0);
}

// Adds `size` bytes to `sum`; only the last piece of a checksum may have an odd size.
inline uint64_t SumBytes(const uint8_t* data, size_t size, uint64_t sum) {
  uint64_t second = 0, word[4];
  for (; size >= sizeof word; data += sizeof word, size -= sizeof word) {
    memcpy(word, data, sizeof word);
    sum = AddCarry(sum, word[0]);
    second = AddCarry(second, word[1]);
    sum = AddCarry(sum, word[2]);
    second = AddCarry(second, word[3]);
  }
  for (; size >= sizeof word[0]; data += sizeof word[0], size -= sizeof word[0]) {
    memcpy(word, data, sizeof word[0]);
    sum = AddCarry(sum, word[0]);
  }
  word[0] = 0;
  memcpy(word, data, size);
  return AddCarry(AddCarry(sum, second), word[0]);
}

// The sum as 16 bits, not complemented.
inline uint16_t FoldSum(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

inline void StoreSum(uint8_t* to, uint16_t sum) { memcpy(to, &sum, sizeof sum); }

// Addresses, protocol and length that a TCP checksum covers besides the segment.
inline uint64_t TcpPseudoSum(const uint8_t* ip, bool ipv6, size_t tcp_size) {
  const uint8_t* addresses = ip + (ipv6 ? kIpv6Addresses : kIpv4Addresses);
  const uint64_t sum = static_cast<uint64_t>(htons(kProtoTcp)) + htonl(static_cast<uint32_t>(tcp_size));
  return SumBytes(addresses, ipv6 ? 32 : 8, sum);
}

inline void WriteIpv4Checksum(uint8_t* ip, size_t head) {
  StoreSum(ip + kIpv4Checksum, 0);
  StoreSum(ip + kIpv4Checksum, static_cast<uint16_t>(~FoldSum(SumBytes(ip, head, 0))));
}

// Writes the length that the IP header tells, and the IPv4 header checksum. `head` is the IP header's size.
inline void WriteIpLength(uint8_t* ip, bool ipv6, size_t head, size_t packet_size) {
  if (ipv6) {
    Store16(ip + kIpv6Length, packet_size - kIpv6Head);
    return;
  }
  Store16(ip + kIpv4Length, packet_size);
  WriteIpv4Checksum(ip, head);
}

}  // namespace ovpn

#endif  // OPENVPN_TS_INET_H_
