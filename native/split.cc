// TCP segmentation in user space. See split.h; what changes from segment to segment: the IP length and
// IPv4 id, the sequence number, PSH and FIN (last segment only), CWR (first only), both checksums.
#include "split.h"

#include "inet.h"

namespace ovpn {
namespace {

// Finishes a checksum whose field holds the sum of the pseudo header; false when it lies outside.
bool FinishChecksum(uint8_t* packet, size_t size, size_t start, size_t offset) {
  if (start + offset + 2 > size) return false;
  uint16_t sum = static_cast<uint16_t>(~FoldSum(SumBytes(packet + start, size - start, 0)));
  // A UDP checksum of 0 means that there is none (RFC 768).
  if (sum == 0 && offset == 6) sum = 0xffff;
  StoreSum(packet + start + offset, sum);
  return true;
}

}  // namespace

bool Splitter::Take(uint8_t* frame, size_t size) {
  packet_ = nullptr;
  if (size <= kVnetHead) return false;
  VnetHeader vnet;
  memcpy(&vnet, frame, kVnetHead);
  uint8_t* packet = frame + kVnetHead;
  size_ = size - kVnetHead;
  segment_size_ = 0;
  if (vnet.gso_type == VnetHeader::kNoGso) {
    const bool unfinished = (vnet.flags & VnetHeader::kNeedsChecksum) != 0;
    if (unfinished && !FinishChecksum(packet, size_, vnet.checksum_start, vnet.checksum_offset)) return false;
    packet_ = packet;
    return true;
  }
  packet_ = packet;
  if (!TakeSuper(vnet)) packet_ = nullptr;
  return pending();
}

bool Splitter::TakeSuper(const VnetHeader& vnet) {
  const uint8_t type = vnet.gso_type & ~VnetHeader::kGsoEcn;
  if (type != VnetHeader::kGsoTcpv4 && type != VnetHeader::kGsoTcpv6) return false;
  ipv6_ = type == VnetHeader::kGsoTcpv6;
  ip_head_ = vnet.checksum_start;
  if (ip_head_ < (ipv6_ ? kIpv6Head : kIpv4Head) || size_ > kMaxIpPacket + (ipv6_ ? kIpv6Head : 0) ||
      ip_head_ + kTcpHead > size_ || packet_[0] >> 4 != (ipv6_ ? 6 : 4)) {
    return false;
  }
  if (!ipv6_ && (packet_[0] & 15u) * 4u != ip_head_) return false;
  const size_t tcp_head = (packet_[ip_head_ + kTcpDataOffset] >> 4) * 4u;
  head_ = ip_head_ + tcp_head;
  segment_size_ = vnet.gso_size;
  if (tcp_head < kTcpHead || head_ >= size_ || segment_size_ == 0) return false;
  done_ = 0;
  index_ = 0;
  return true;
}

size_t Splitter::Next(uint8_t* to, size_t room) {
  if (segment_size_ > 0) return NextSegment(to, room);
  const bool fits = size_ <= room;
  if (fits) memcpy(to, packet_, size_);
  packet_ = nullptr;
  return fits ? size_ : 0;
}

size_t Splitter::NextSegment(uint8_t* to, size_t room) {
  const size_t left = size_ - head_ - done_;
  const size_t payload = left < segment_size_ ? left : segment_size_;
  const size_t size = head_ + payload;
  const uint8_t* super = packet_;
  const uint32_t index = index_++;
  const size_t at = done_;
  const bool last = payload == left;
  done_ += payload;
  if (last) packet_ = nullptr;
  if (size > room) return 0;
  memcpy(to, super, head_);
  memcpy(to + head_, super + head_ + at, payload);
  if (!ipv6_) Store16(to + kIpv4Id, (Load16(super + kIpv4Id) + index) & 0xffff);
  WriteIpLength(to, ipv6_, ip_head_, size);
  uint8_t* tcp = to + ip_head_;
  Store32(tcp + kTcpSeq, Load32(tcp + kTcpSeq) + static_cast<uint32_t>(at));
  if (!last) tcp[kTcpFlags] &= static_cast<uint8_t>(~(kTcpFin | kTcpPsh));
  if (index > 0) tcp[kTcpFlags] &= static_cast<uint8_t>(~kTcpCwr);
  StoreSum(tcp + kTcpChecksum, 0);
  const size_t tcp_size = size - ip_head_;
  const uint64_t sum = SumBytes(tcp, tcp_size, TcpPseudoSum(to, ipv6_, tcp_size));
  StoreSum(tcp + kTcpChecksum, static_cast<uint16_t>(~FoldSum(sum)));
  return size;
}

}  // namespace ovpn
