// Cuts what a TUN device with IFF_VNET_HDR gives (virtio-net header, packet) into packets as they go on
// the wire: TCP super-packets (TSO) into segments, unfinished checksums (NEEDS_CSUM) finished.
#ifndef OPENVPN_TS_SPLIT_H_
#define OPENVPN_TS_SPLIT_H_

#include <cstddef>
#include <cstdint>

namespace ovpn {

// struct virtio_net_hdr, whose kernel header C++ can't include; numbers in the machine's byte order.
struct VnetHeader {
  static constexpr uint8_t kNeedsChecksum = 1;
  static constexpr uint8_t kNoGso = 0, kGsoTcpv4 = 1, kGsoTcpv6 = 4, kGsoEcn = 0x80;

  uint8_t flags;
  uint8_t gso_type;
  uint16_t header_length;
  uint16_t gso_size;
  uint16_t checksum_start;
  uint16_t checksum_offset;
};

constexpr size_t kVnetHead = sizeof(VnetHeader);
static_assert(kVnetHead == 10, "the kernel's default size");

class Splitter {
 public:
  // Starts with a frame, which is changed and must stay until pending() is false. Returns false, with
  // nothing pending, when the frame contradicts itself or is of a kind that was not asked for.
  bool Take(uint8_t* frame, size_t size);
  bool pending() const { return packet_ != nullptr; }
  // Writes the next packet and returns its size; 0: it is longer than `room` and passed over.
  size_t Next(uint8_t* to, size_t room);

 private:
  bool TakeSuper(const VnetHeader& vnet);
  size_t NextSegment(uint8_t* to, size_t room);

  uint8_t* packet_ = nullptr;
  size_t size_ = 0;
  // Payload of each segment; 0 for a packet that is whole.
  size_t segment_size_ = 0;
  size_t ip_head_ = 0;
  size_t head_ = 0;
  size_t done_ = 0;
  uint32_t index_ = 0;
  bool ipv6_ = false;
};

}  // namespace ovpn

#endif  // OPENVPN_TS_SPLIT_H_
