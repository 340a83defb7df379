// Joins TCP segments into super-packets for a TUN device with IFF_VNET_HDR: the reverse of split.h,
// with the rules of receive offload. A frame is a virtio-net header and a packet, given to the sink as
// parts, so that payloads are not copied.
//
// Joined are segments of one flow (a few flows at once) that follow each other by sequence number, have
// the same headers but for what counts up, hold payloads of one size (the last may be shorter), and
// whose IPv4 header and TCP checksums are right: the device takes the checksum of a super-packet on
// trust. Flags other than ACK and PSH, IP options, extension headers and fragments are never joined.
// Packets of one flow keep their order.
#ifndef OPENVPN_TS_COALESCE_H_
#define OPENVPN_TS_COALESCE_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "inet.h"
#include "split.h"

namespace ovpn {

class FrameSink {
 public:
  // Takes one frame of `packets` packets; returns 0 or an errno.
  virtual int WriteFrame(const iovec* parts, int count) = 0;
  // `packets` packets are lost to `error`.
  virtual void Lost(int error, int32_t packets) = 0;

 protected:
  ~FrameSink() = default;
};

class Coalescer {
 public:
  explicit Coalescer(FrameSink* sink) : sink_(sink) {}

  // Takes a packet, whose memory must stay until Flush().
  void Add(const uint8_t* packet, size_t size);
  // Writes what is held back; returns the packets written since the last Flush().
  int32_t Flush();

 private:
  static constexpr int kMaxSegments = 128;
  static constexpr int kMaxFlows = 8;
  static constexpr int kMaxRefusals = 16;

  // A TCP packet whose headers are plain enough to tell its flow.
  struct Segment {
    const uint8_t* packet;
    size_t size;
    size_t ip_head;
    size_t head;
    bool ipv6;

    size_t payload() const { return size - head; }
    const uint8_t* tcp() const { return packet + ip_head; }
    bool Read(const uint8_t* data, size_t data_size);
    bool SameFlow(const Segment& other) const;
    bool SameHeaders(const Segment& other) const;
    bool MayJoin() const;
    bool ChecksumsRight() const;
  };

  // Segments held back; parts: vnet header, packet header, then the payloads.
  struct Group {
    Segment first;
    bool checked;
    bool ended;
    int segments;
    size_t size;
    uint32_t next_seq;
    iovec parts[2 + kMaxSegments];
  };

  int Find(const Segment& segment) const;
  void Begin(const Segment& segment);
  bool Join(Group* group, const Segment& segment);
  void Write(int index);
  void WriteJoined(Group* group);
  void WriteOne(const uint8_t* packet, size_t size);

  FrameSink* const sink_;
  Group groups_[kMaxFlows];
  // Groups in use, oldest first.
  int order_[kMaxFlows] = {0, 1, 2, 3, 4, 5, 6, 7};
  int held_ = 0;
  int32_t written_ = 0;
  // Super-packets that the device refused since it last took one; with kMaxRefusals none is offered again.
  int refusals_ = 0;
};

}  // namespace ovpn

#endif  // OPENVPN_TS_COALESCE_H_
