// Receive offload for a TUN device. See coalesce.h; the rules are those of Linux's own
// (net/ipv4/tcp_offload.c).
#include "coalesce.h"

#include <cerrno>

namespace ovpn {

// Reads IPv4 without options or IPv6 without extension headers, carrying whole TCP segments.
bool Coalescer::Segment::Read(const uint8_t* data, size_t data_size) {
  packet = data;
  size = data_size;
  if (size < kIpv4Head + kTcpHead) return false;
  ipv6 = data[0] >> 4 == 6;
  if (ipv6) {
    if (size < kIpv6Head + kTcpHead || data[kIpv6Next] != kProtoTcp) return false;
    if (Load16(data + kIpv6Length) != size - kIpv6Head) return false;
  } else {
    constexpr uint16_t kDontFragment = 0x4000;
    if (data[0] != 0x45 || data[kIpv4Proto] != kProtoTcp || Load16(data + kIpv4Length) != size) return false;
    if ((Load16(data + kIpv4Fragment) & ~kDontFragment) != 0) return false;
  }
  ip_head = ipv6 ? kIpv6Head : kIpv4Head;
  const size_t tcp_head = (data[ip_head + kTcpDataOffset] >> 4) * 4u;
  head = ip_head + tcp_head;
  return tcp_head >= kTcpHead && head <= size;
}

bool Coalescer::Segment::SameFlow(const Segment& other) const {
  const size_t at = ipv6 ? kIpv6Addresses : kIpv4Addresses;
  return ipv6 == other.ipv6 && memcmp(packet + at, other.packet + at, ip_head - at + 4) == 0;
}

// Whether all but lengths, id, sequence number, PSH and checksums agree; of packets of one flow.
bool Coalescer::Segment::SameHeaders(const Segment& other) const {
  const uint8_t* a = packet;
  const uint8_t* b = other.packet;
  if (head != other.head) return false;
  if (ipv6 ? memcmp(a, b, 4) != 0 || a[7] != b[7]
           : a[1] != b[1] || memcmp(a + kIpv4Fragment, b + kIpv4Fragment, 3) != 0) {
    return false;
  }
  const uint8_t* at = tcp();
  const uint8_t* bt = other.tcp();
  return memcmp(at + 8, bt + 8, 5) == 0 && ((at[kTcpFlags] ^ bt[kTcpFlags]) & ~kTcpPsh) == 0 &&
         memcmp(at + 14, bt + 14, 2) == 0 && memcmp(at + 18, bt + 18, head - ip_head - 18) == 0;
}

bool Coalescer::Segment::MayJoin() const { return payload() > 0 && (tcp()[kTcpFlags] & ~kTcpPsh) == kTcpAck; }

bool Coalescer::Segment::ChecksumsRight() const {
  if (!ipv6 && FoldSum(SumBytes(packet, ip_head, 0)) != 0xffff) return false;
  const size_t tcp_size = size - ip_head;
  return FoldSum(SumBytes(tcp(), tcp_size, TcpPseudoSum(packet, ipv6, tcp_size))) == 0xffff;
}

void Coalescer::Add(const uint8_t* packet, size_t size) {
  Segment segment;
  if (refusals_ == kMaxRefusals || !segment.Read(packet, size)) {
    // A fragment may belong to a flow that is held back.
    while (held_ > 0) Write(0);
    WriteOne(packet, size);
    return;
  }
  const int at = Find(segment);
  const bool may_join = segment.MayJoin();
  if (at >= 0) {
    if (may_join && Join(&groups_[order_[at]], segment)) return;
    Write(at);
  }
  if (may_join) {
    if (held_ == kMaxFlows) Write(0);
    Begin(segment);
  } else {
    WriteOne(packet, size);
  }
}

int32_t Coalescer::Flush() {
  while (held_ > 0) Write(0);
  const int32_t written = written_;
  written_ = 0;
  return written;
}

int Coalescer::Find(const Segment& segment) const {
  for (int i = 0; i < held_; i++) {
    if (groups_[order_[i]].first.SameFlow(segment)) return i;
  }
  return -1;
}

void Coalescer::Begin(const Segment& segment) {
  Group* group = &groups_[order_[held_++]];
  group->first = segment;
  group->checked = false;
  group->ended = (segment.tcp()[kTcpFlags] & kTcpPsh) != 0;
  group->segments = 1;
  group->size = segment.size;
  group->next_seq = Load32(segment.tcp() + kTcpSeq) + static_cast<uint32_t>(segment.payload());
  group->parts[2] = {const_cast<uint8_t*>(segment.packet + segment.head), segment.payload()};
}

bool Coalescer::Join(Group* group, const Segment& segment) {
  const Segment& first = group->first;
  if (group->ended || group->segments == kMaxSegments || group->size + segment.payload() > kMaxIpPacket ||
      segment.payload() > first.payload() || Load32(segment.tcp() + kTcpSeq) != group->next_seq ||
      !first.SameHeaders(segment)) {
    return false;
  }
  if (!first.ipv6 && (first.packet[kIpv4Fragment] & 0x40) == 0) {
    // Ids mean something where fragmenting is allowed: they must be what splitting gives again.
    const int expected = (Load16(first.packet + kIpv4Id) + group->segments) & 0xffff;
    if (Load16(segment.packet + kIpv4Id) != expected) return false;
  }
  if (!segment.ChecksumsRight()) return false;
  if (!group->checked && !first.ChecksumsRight()) return false;
  group->checked = true;
  group->parts[2 + group->segments] = {const_cast<uint8_t*>(segment.packet + segment.head),
                                       segment.payload()};
  group->segments++;
  group->size += segment.payload();
  group->next_seq += static_cast<uint32_t>(segment.payload());
  group->ended = segment.payload() < first.payload() || (segment.tcp()[kTcpFlags] & kTcpPsh) != 0;
  return true;
}

// Writes the group at place `index` of the order and frees it.
void Coalescer::Write(int index) {
  const int used = order_[index];
  for (int i = index; i + 1 < held_; i++) order_[i] = order_[i + 1];
  order_[--held_] = used;
  Group* group = &groups_[used];
  if (group->segments == 1) WriteOne(group->first.packet, group->first.size);
  else WriteJoined(group);
}

void Coalescer::WriteJoined(Group* group) {
  const Segment& first = group->first;
  const iovec& last = group->parts[1 + group->segments];
  uint8_t head[kIpv6Head + kMaxTcpHead];
  memcpy(head, first.packet, first.head);
  WriteIpLength(head, first.ipv6, first.ip_head, group->size);
  const uint8_t* last_tcp = static_cast<uint8_t*>(last.iov_base) - first.head + first.ip_head;
  uint8_t* tcp = head + first.ip_head;
  tcp[kTcpFlags] |= last_tcp[kTcpFlags] & kTcpPsh;
  StoreSum(tcp + kTcpChecksum, FoldSum(TcpPseudoSum(head, first.ipv6, group->size - first.ip_head)));
  VnetHeader vnet = {};
  vnet.flags = VnetHeader::kNeedsChecksum;
  vnet.gso_type = first.ipv6 ? VnetHeader::kGsoTcpv6 : VnetHeader::kGsoTcpv4;
  vnet.header_length = static_cast<uint16_t>(first.head);
  vnet.gso_size = static_cast<uint16_t>(first.payload());
  vnet.checksum_start = static_cast<uint16_t>(first.ip_head);
  vnet.checksum_offset = kTcpChecksum;
  group->parts[0] = {&vnet, kVnetHead};
  group->parts[1] = {head, first.head};
  const int error = sink_->WriteFrame(group->parts, 2 + group->segments);
  if (error == 0) {
    written_ += group->segments;
    refusals_ = 0;
  } else if (error == EINVAL) {
    if (refusals_ < kMaxRefusals) refusals_++;
    for (int i = 0; i < group->segments; i++) {
      const iovec& part = group->parts[2 + i];
      WriteOne(static_cast<uint8_t*>(part.iov_base) - first.head, part.iov_len + first.head);
    }
  } else {
    sink_->Lost(error, group->segments);
  }
}

void Coalescer::WriteOne(const uint8_t* packet, size_t size) {
  VnetHeader vnet = {};
  const iovec parts[2] = {{&vnet, kVnetHead}, {const_cast<uint8_t*>(packet), size}};
  const int error = sink_->WriteFrame(parts, 2);
  if (error == 0) written_++;
  else sink_->Lost(error, 1);
}

}  // namespace ovpn
