// UDP sockets that move a batch per system call (2.x socket.c: create_socket_udp(),
// link_socket_read/write_udp_posix(); mtu.c for the error queue).
//
// Sending: a run of packets to one address and of one size (the last may be shorter) leaves as one
// message with UDP_SEGMENT, many messages as one sendmmsg. What the kernel refuses as a run goes out
// packet by packet, without a report. Receiving: with UDP_GRO one message may carry many datagrams of
// one size, so recvmmsg fills buffers of 64 KiB and datagrams are copied into slots; those that find no
// slot wait for the next call. Headers, vectors and buffers are laid out once per socket.
//
// Multihome: each datagram tells the local address it came to (IP_PKTINFO). The socket numbers the
// addresses it has seen; the number travels in the last address word, and what is sent with it goes out
// from that address.
//
// IP_RECVERR is on as in 2.x: without it Linux tells an unconnected socket nothing of ICMP errors.
// The price is that any send or receive may fail with an error of an earlier packet; such a call is
// tried once more, and only a second failure is held against the packet at hand.
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "locals.h"
#include "poll.h"

namespace ovpn {
namespace {

// Packets per sendmmsg, and messages per recvmmsg.
constexpr int32_t kSendBatch = 128;
constexpr int32_t kReceiveBatch = 64;
// Limits of one message of segments: UDP_MAX_SEGMENTS of older kernels, and what an IP packet holds.
constexpr int32_t kMaxSegments = 64;
constexpr size_t kMaxRun = 65000;
// Packets sent one by one before runs of a refused size are tried again.
constexpr int32_t kRefusalPause = 4096;
// Receive buffer where the user sets none: a few runs of 64 KiB fill the kernel's default.
constexpr int kReceiveSpace = 2 << 20;
// The stride keeps buffers from falling into the same sets of the processor's caches.
constexpr size_t kBufferSize = 65536;
constexpr size_t kBufferStride = kBufferSize + 1472;
// Failed calls that one recvBatch() puts up with before it returns to the event loop.
constexpr int kReceiveErrors = 8;
// Entries of the error queue taken off at once.
constexpr int kQueueDrain = 64;

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Reads address words (base/address.ts) for a socket of `family`; 0 = no address of that family.
socklen_t AddressFromWords(const int32_t* words, int family, Address* out) {
  memset(out, 0, sizeof *out);
  const uint16_t port = htons(static_cast<uint16_t>(words[1]));
  if (words[0] == 4 && family == AF_INET) {
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = port;
    out->v4.sin_addr.s_addr = htonl(static_cast<uint32_t>(words[2]));
    return sizeof out->v4;
  }
  if (family != AF_INET6 || (words[0] != 4 && words[0] != 6)) return 0;
  uint32_t parts[4] = {0, 0, htonl(0xffff), htonl(static_cast<uint32_t>(words[2]))};
  if (words[0] == 6) {
    for (int i = 0; i < 4; i++) parts[i] = htonl(static_cast<uint32_t>(words[2 + i]));
  }
  out->v6.sin6_family = AF_INET6;
  out->v6.sin6_port = port;
  memcpy(&out->v6.sin6_addr, parts, sizeof parts);
  out->v6.sin6_scope_id = words[0] == 6 ? static_cast<uint32_t>(words[6]) : 0;
  return sizeof out->v6;
}

void AddressToWords(const Address& from, int32_t* words) {
  memset(words, 0, kAddressWords * sizeof *words);
  if (from.any.sa_family == AF_INET) {
    words[0] = 4;
    words[1] = ntohs(from.v4.sin_port);
    words[2] = static_cast<int32_t>(ntohl(from.v4.sin_addr.s_addr));
    return;
  }
  if (from.any.sa_family != AF_INET6) return;
  uint32_t parts[4];
  memcpy(parts, &from.v6.sin6_addr, sizeof parts);
  words[0] = 6;
  words[1] = ntohs(from.v6.sin6_port);
  for (int i = 0; i < 4; i++) words[2 + i] = static_cast<int32_t>(ntohl(parts[i]));
  words[6] = static_cast<int32_t>(from.v6.sin6_scope_id);
}

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// The address word that holds the number.
constexpr size_t kLocalWord = 7;

constexpr size_t kControl = CMSG_SPACE(sizeof(int)) + Locals::kControl;

struct Control {
  alignas(cmsghdr) uint8_t bytes[kControl];
};

// Messages to send: each is the run of vectors from first[i] on.
struct Outgoing {
  mmsghdr headers[kSendBatch] = {};
  Address addresses[kSendBatch];
  Control controls[kSendBatch];
  // First vector of each message.
  int32_t first[kSendBatch];
  iovec vectors[kSendBatch];
  // The slot of each vector, to tell the caller how far sending came.
  int32_t slots[kSendBatch];
  int32_t messages = 0;

  int32_t slot(int32_t message) const { return slots[first[message]]; }
  size_t segments(int32_t message) const { return headers[message].msg_hdr.msg_iovlen; }
  size_t segment_size(int32_t message) const { return vectors[first[message]].iov_len; }
};

// Messages received, of which those from `next` on, and of that the bytes from `at` on, wait for slots.
struct Incoming {
  mmsghdr headers[kReceiveBatch] = {};
  iovec vectors[kReceiveBatch];
  Address addresses[kReceiveBatch];
  Control controls[kReceiveBatch];
  std::unique_ptr<uint8_t[]> buffers;
  int32_t received = 0;
  int32_t next = 0;
  size_t at = 0;
  // The last recvmmsg emptied the socket: the next call asks nothing, and poll() tells of more.
  bool drained = false;
  // Messages to ask for: as many as filled the slots last time, so that buffers stay in the cache.
  int32_t wanted = kReceiveBatch;
};

class Udp : public Pollable {
 public:
  static constexpr uint32_t kKinds = kUdp;

  Udp(napi_env env, int family, bool offload);

  int32_t Receive(Batch* batch, int32_t* words, size_t headroom, size_t room, int32_t limit);
  int32_t Send(const Batch& batch, const int32_t* words, int32_t first, int32_t end);
  bool SendOne(const Bytes& packet, const int32_t* words);
  // Answers leave from the address that was asked, by the interface it was asked on. Returns 0 or an errno.
  int Multihome();

  int64_t dropped() const { return dropped_; }
  int64_t syscalls() const { return syscalls_; }
  // Whether datagrams wait for the next Receive().
  bool pending() const { return in_.next < in_.received; }

 protected:
  void OnErrorCondition() override;

 private:
  bool ReceiveMore(int32_t limit);
  void Take(Batch* batch, int32_t* words, size_t headroom, size_t room, int32_t limit, int32_t* count);
  void Prepare(const Batch& batch, const int32_t* words, int32_t* slot, int32_t end, int32_t single_until);
  bool Extends(const int32_t* words, size_t index, size_t size, int32_t single_until) const;
  void SetControl(int32_t message, int32_t local);
  void Refused(int32_t message);
  int32_t DrainErrorQueue(int* error);
  void Report(int32_t op, int error);

  const int family_;
  // Whether runs are sent as segments, and for how many packets not those of refused_size_ and more.
  const bool offload_;
  size_t refused_size_ = 0;
  int32_t refused_for_ = 0;
  int64_t dropped_ = 0;
  int64_t syscalls_ = 0;
  bool multihome_ = false;
  Locals locals_;
  Outgoing out_;
  Incoming in_;
};

Udp::Udp(napi_env env, int family, bool offload) : Pollable(env, kUdp), family_(family), offload_(offload) {
  in_.buffers.reset(new uint8_t[kReceiveBatch * kBufferStride]);
  for (int32_t i = 0; i < kReceiveBatch; i++) {
    in_.vectors[i] = {in_.buffers.get() + static_cast<size_t>(i) * kBufferStride, kBufferSize};
    msghdr* header = &in_.headers[i].msg_hdr;
    header->msg_name = &in_.addresses[i];
    header->msg_iov = &in_.vectors[i];
    header->msg_iovlen = 1;
    header->msg_control = in_.controls[i].bytes;
  }
  for (int32_t i = 0; i < kSendBatch; i++) out_.headers[i].msg_hdr.msg_name = &out_.addresses[i];
}

// Empties the socket's error queue. Returns -1 when it was empty, else the last path MTU told or 0;
// `error` gets the errno of the newest entry.
int32_t Udp::DrainErrorQueue(int* error) {
  int32_t info = -1;
  for (int i = 0; i < kQueueDrain; i++) {
    alignas(cmsghdr) uint8_t control[256];
    uint8_t payload[8];
    iovec vector = {payload, sizeof payload};
    msghdr message = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(fd_, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
    if (info < 0) info = 0;
    for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr; item = CMSG_NXTHDR(&message, item)) {
      const bool ip = item->cmsg_level == SOL_IP && item->cmsg_type == IP_RECVERR;
      const bool ipv6 = item->cmsg_level == SOL_IPV6 && item->cmsg_type == IPV6_RECVERR;
      if ((!ip && !ipv6) || item->cmsg_len < CMSG_LEN(sizeof(sock_extended_err))) continue;
      sock_extended_err detail;
      memcpy(&detail, CMSG_DATA(item), sizeof detail);
      *error = static_cast<int>(detail.ee_errno);
      if (detail.ee_errno == EMSGSIZE) info = static_cast<int32_t>(detail.ee_info);
    }
  }
  return info;
}

void Udp::Report(int32_t op, int error) {
  int queued = 0;
  const int32_t info = DrainErrorQueue(&queued);
  errors_.Add(env_, op, error, info);
}

void Udp::OnErrorCondition() {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = 0;
  int queued = 0;
  const int32_t info = DrainErrorQueue(&queued);
  if (error == 0) error = queued;
  if (error != 0) errors_.Add(env_, kOpRead, error, info);
}

// The size of the datagrams in a message, 0 when it carries one.
size_t SegmentSize(msghdr* header) {
  for (cmsghdr* item = CMSG_FIRSTHDR(header); item != nullptr; item = CMSG_NXTHDR(header, item)) {
    if (item->cmsg_level != SOL_UDP || item->cmsg_type != UDP_GRO) continue;
    int size = 0;
    if (item->cmsg_len >= CMSG_LEN(sizeof size)) memcpy(&size, CMSG_DATA(item), sizeof size);
    return size > 0 ? static_cast<size_t>(size) : 0;
  }
  return 0;
}

int32_t Udp::Receive(Batch* batch, int32_t* words, size_t headroom, size_t room, int32_t limit) {
  int32_t count = 0;
  Take(batch, words, headroom, room, limit, &count);
  if (count == 0 && in_.drained) {
    in_.drained = false;
    return 0;
  }
  for (int errors = 0; errors < kReceiveErrors && count == 0 && limit > 0;) {
    if (ReceiveMore(limit)) {
      Take(batch, words, headroom, room, limit, &count);
      if (count == 0) errors++;
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    if (errno == EINTR) continue;
    Report(kOpRead, errno);
    errors++;
  }
  return count;
}

// One recvmmsg; false with errno set when nothing came.
bool Udp::ReceiveMore(int32_t limit) {
  int32_t asked = in_.wanted < limit ? in_.wanted : limit;
  for (int32_t i = 0; i < asked; i++) {
    msghdr* header = &in_.headers[i].msg_hdr;
    header->msg_namelen = sizeof in_.addresses[i];
    header->msg_controllen = sizeof in_.controls[i].bytes;
    header->msg_flags = 0;
  }
  syscalls_++;
  const int received = recvmmsg(fd_, in_.headers, static_cast<unsigned>(asked), MSG_DONTWAIT, nullptr);
  if (received == 0) errno = EAGAIN;
  if (received <= 0) return false;
  int32_t datagrams = 0;
  for (int32_t i = 0; i < received; i++) {
    const size_t size = SegmentSize(&in_.headers[i].msg_hdr);
    datagrams += size == 0 ? 1 : static_cast<int32_t>((in_.headers[i].msg_len + size - 1) / size);
  }
  const int32_t wanted = datagrams > 0 ? limit * received / datagrams : kReceiveBatch;
  in_.wanted = wanted < 1 ? 1 : wanted > kReceiveBatch ? kReceiveBatch : wanted;
  in_.drained = received < asked;
  in_.received = received;
  in_.next = 0;
  in_.at = 0;
  return true;
}

// Copies waiting datagrams into the slots from *count on; empty ones and those longer than `room` are
// dropped.
void Udp::Take(Batch* batch, int32_t* words, size_t headroom, size_t room, int32_t limit, int32_t* count) {
  while (pending() && *count < limit) {
    const size_t total = in_.headers[in_.next].msg_len;
    const size_t segment = SegmentSize(&in_.headers[in_.next].msg_hdr);
    const size_t left = total - in_.at;
    const size_t size = segment > 0 && segment < left ? segment : left;
    const uint8_t* from = static_cast<uint8_t*>(in_.vectors[in_.next].iov_base) + in_.at;
    const Address& address = in_.addresses[in_.next];
    const bool cut = (in_.headers[in_.next].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    const int32_t local = multihome_ ? locals_.Number(&in_.headers[in_.next].msg_hdr) : 0;
    in_.at += size;
    if (in_.at >= total) {
      in_.next++;
      in_.at = 0;
    }
    if (size == 0 || size > room || cut) {
      dropped_++;
      continue;
    }
    const size_t slot = static_cast<size_t>((*count)++);
    const size_t offset = slot * batch->slot_size + headroom;
    memcpy(batch->slab + offset, from, size);
    batch->offsets[slot] = static_cast<int32_t>(offset);
    batch->lengths[slot] = static_cast<int32_t>(size);
    AddressToWords(address, words + slot * kAddressWords);
    words[slot * kAddressWords + kLocalWord] = local;
  }
}

// Makes messages of the slots from *slot on, passing over empty and unaddressable ones; *slot ends
// behind the last one looked at. Slots below `single_until` get a message each.
void Udp::Prepare(const Batch& batch, const int32_t* words, int32_t* slot, int32_t end,
                  int32_t single_until) {
  out_.messages = 0;
  for (int32_t used = 0; *slot < end && used < kSendBatch; (*slot)++) {
    const size_t index = static_cast<size_t>(*slot);
    const size_t size = static_cast<size_t>(batch.lengths[index]);
    if (size == 0) continue;
    if (used == 0 || !Extends(words, index, size, single_until)) {
      const int32_t message = out_.messages;
      const socklen_t address_size =
          AddressFromWords(words + index * kAddressWords, family_, &out_.addresses[message]);
      if (address_size == 0) {
        errors_.Add(env_, kOpWrite, EAFNOSUPPORT, -1);
        continue;
      }
      msghdr* header = &out_.headers[message].msg_hdr;
      header->msg_namelen = address_size;
      header->msg_iov = &out_.vectors[used];
      header->msg_iovlen = 0;
      out_.first[message] = used;
      out_.messages++;
    }
    out_.vectors[used] = {batch.packet(index), size};
    out_.slots[used++] = *slot;
    out_.headers[out_.messages - 1].msg_hdr.msg_iovlen++;
  }
  for (int32_t i = 0; i < out_.messages; i++) {
    SetControl(i, words[static_cast<size_t>(out_.slot(i)) * kAddressWords + kLocalWord]);
  }
}

// Whether the packet may go as one more segment of the last message.
bool Udp::Extends(const int32_t* words, size_t index, size_t size, int32_t single_until) const {
  const int32_t message = out_.messages - 1;
  const size_t segments = out_.segments(message);
  const size_t segment_size = out_.segment_size(message);
  const size_t last = static_cast<size_t>(out_.first[message]) + segments - 1;
  if (!offload_ || static_cast<int32_t>(index) < single_until || segments >= kMaxSegments ||
      size > segment_size || out_.vectors[last].iov_len < segment_size ||
      segments * segment_size + size > kMaxRun) {
    return false;
  }
  if (refused_for_ > 0 && segment_size >= refused_size_) return false;
  const int32_t* address = words + static_cast<size_t>(out_.slots[last]) * kAddressWords;
  return memcmp(address, words + index * kAddressWords, kAddressWords * sizeof *words) == 0;
}

void Udp::SetControl(int32_t message, int32_t local) {
  msghdr* header = &out_.headers[message].msg_hdr;
  if (refused_for_ > 0) refused_for_ -= static_cast<int32_t>(out_.segments(message));
  header->msg_control = out_.controls[message].bytes;
  header->msg_controllen = sizeof out_.controls[message].bytes;
  cmsghdr* item = CMSG_FIRSTHDR(header);
  size_t used = 0;
  if (out_.segments(message) >= 2) {
    const uint16_t size = static_cast<uint16_t>(out_.segment_size(message));
    item->cmsg_level = SOL_UDP;
    item->cmsg_type = UDP_SEGMENT;
    item->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(item), &size, sizeof size);
    used = CMSG_SPACE(sizeof size);
    item = reinterpret_cast<cmsghdr*>(out_.controls[message].bytes + used);
  }
  used += locals_.Write(local, family_, item);
  if (used == 0) header->msg_control = nullptr;
  header->msg_controllen = used;
}

int Udp::Multihome() {
  const bool ipv6 = family_ == AF_INET6;
  if (!SetOption(fd_, ipv6 ? SOL_IPV6 : SOL_IP, ipv6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1)) return errno;
  multihome_ = true;
  return 0;
}

// The kernel takes no segments of this size: they exceed the path MTU, or the device can't checksum.
void Udp::Refused(int32_t message) {
  const size_t size = out_.segment_size(message);
  if (refused_for_ <= 0 || size < refused_size_) refused_size_ = size;
  refused_for_ = kRefusalPause;
}

int32_t Udp::Send(const Batch& batch, const int32_t* words, int32_t first, int32_t end) {
  int32_t slot = first;
  int32_t single_until = first;
  while (slot < end) {
    Prepare(batch, words, &slot, end, single_until);
    int32_t failed = -1;
    for (int32_t done = 0; done < out_.messages;) {
      syscalls_++;
      const int sent =
          sendmmsg(fd_, out_.headers + done, static_cast<unsigned>(out_.messages - done), MSG_DONTWAIT);
      if (sent > 0) {
        done += sent;
        continue;
      }
      if (sent == 0 || errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return out_.slot(done) - first;
      const int error = errno;
      const bool refused = error == EINVAL || error == EMSGSIZE || error == EIO;
      if (out_.segments(done) > 1 && (refused || failed == done)) {
        if (refused) Refused(done);
        single_until = out_.slots[out_.first[done] + static_cast<int32_t>(out_.segments(done)) - 1] + 1;
        slot = out_.slot(done);
        break;
      }
      Report(kOpWrite, error);
      // A first failure may be an earlier packet's; a second one is this packet's own.
      if (failed == done) done++;
      else failed = done;
    }
  }
  return end - first;
}

bool Udp::SendOne(const Bytes& packet, const int32_t* words) {
  Address address;
  const socklen_t size = AddressFromWords(words, family_, &address);
  if (size == 0) {
    errors_.Add(env_, kOpWrite, EAFNOSUPPORT, -1);
    return false;
  }
  iovec vector = {packet.data, packet.size};
  Control control = {};
  msghdr message = {};
  message.msg_name = &address;
  message.msg_namelen = size;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_controllen =
      locals_.Write(words[kLocalWord], family_, reinterpret_cast<cmsghdr*>(control.bytes));
  if (message.msg_controllen > 0) message.msg_control = control.bytes;
  for (int attempts = 0; attempts < 2;) {
    syscalls_++;
    if (sendmsg(fd_, &message, MSG_DONTWAIT) >= 0) return true;
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    Report(kOpWrite, errno);
    attempts++;
  }
  return false;
}

struct SocketOptions {
  bool ipv6_only, offload;
  int32_t sndbuf, rcvbuf;
};

// A bound socket, or -1 after throwing.
int OpenSocket(napi_env env, const int32_t* bind_words, int family, const SocketOptions& options) {
  const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (fd < 0) {
    ThrowErrno(env, errno, "socket");
    return -1;
  }
  // A refused buffer size is no reason to fail: 2.x warns at most.
  if (options.sndbuf > 0) SetOption(fd, SOL_SOCKET, SO_SNDBUF, options.sndbuf);
  if (options.rcvbuf > 0) SetOption(fd, SOL_SOCKET, SO_RCVBUF, options.rcvbuf);
  if (options.offload && SetOption(fd, SOL_UDP, UDP_GRO, 1) && options.rcvbuf <= 0) {
    // The second way is what those without CAP_NET_ADMIN get: up to net.core.rmem_max.
    if (!SetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveSpace)) {
      SetOption(fd, SOL_SOCKET, SO_RCVBUF, kReceiveSpace);
    }
  }
  SetOption(fd, SOL_IP, IP_RECVERR, 1);
  if (family == AF_INET6) {
    SetOption(fd, SOL_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0);
    SetOption(fd, SOL_IPV6, IPV6_RECVERR, 1);
  }
  Address address;
  const socklen_t size = AddressFromWords(bind_words, family, &address);
  if (bind(fd, &address.any, size) != 0) {
    const int error = errno;
    close(fd);
    ThrowErrno(env, error, "bind");
    return -1;
  }
  return fd;
}

// new Udp(bind, ipv6Only, sndbuf, rcvbuf, errors, onReady, offload)
napi_value NewUdp(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Words bind_words, errors;
  SocketOptions options;
  napi_value callback;
  if (!args.Constructing(info) || !args.Int32s(0, &bind_words) || !args.Bool(1, &options.ipv6_only) ||
      !args.Int(2, &options.sndbuf) || !args.Int(3, &options.rcvbuf) || !args.Int32s(4, &errors) ||
      !args.Function(5, &callback) || !args.Bool(6, &options.offload)) {
    return nullptr;
  }
  if (bind_words.size < kAddressWords || (bind_words.data[0] != 4 && bind_words.data[0] != 6)) {
    return ThrowMisuse(env, "the local address has no family");
  }
  const int family = bind_words.data[0] == 6 ? AF_INET6 : AF_INET;
  const int fd = OpenSocket(env, bind_words.data, family, options);
  if (fd < 0) return nullptr;
  Udp* udp = new Udp(env, family, options.offload);
  if (!udp->Attach(fd, args.at(4), callback)) {
    delete udp;
    return nullptr;
  }
  return Wrap(env, args.self(), udp);
}

Udp* UnwrapOpen(napi_env env, napi_value self) {
  Udp* udp = Unwrap<Udp>(env, self);
  if (udp != nullptr && udp->fd() < 0) {
    ThrowMisuse(env, "the socket is closed");
    return nullptr;
  }
  return udp;
}

// Limits a batch to the slots whose addresses exist.
void LimitToAddresses(Batch* batch, const Words& words) {
  if (batch->capacity > words.size / kAddressWords) batch->capacity = words.size / kAddressWords;
}

// recvBatch(slab, slotSize, headroom, tailroom, offsets, lengths, addresses, limit)
napi_value RecvBatch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Udp* udp = UnwrapOpen(env, args.self());
  Batch batch;
  Words words;
  int32_t limit;
  size_t headroom, room;
  if (udp == nullptr || !batch.Read(env, &args, 0, 1, 4) || !args.Int32s(6, &words) || !args.Int(7, &limit)) {
    return nullptr;
  }
  LimitToAddresses(&batch, words);
  if (!batch.ReadRoom(env, &args, 2, limit, &headroom, &room)) return nullptr;
  return MakeInt(env, udp->Receive(&batch, words.data, headroom, room, limit));
}

// sendBatch(slab, slotSize, offsets, lengths, addresses, first, end)
napi_value SendBatch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Udp* udp = UnwrapOpen(env, args.self());
  Batch batch;
  Words words;
  int32_t first, end;
  if (udp == nullptr || !batch.Read(env, &args, 0, 1, 2) || !args.Int32s(4, &words) || !args.Int(5, &first) ||
      !args.Int(6, &end)) {
    return nullptr;
  }
  LimitToAddresses(&batch, words);
  if (!batch.CheckRun(env, first, end)) return nullptr;
  return MakeInt(env, udp->Send(batch, words.data, first, end));
}

// send(packet, words)
napi_value Send(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Udp* udp = UnwrapOpen(env, args.self());
  Bytes packet;
  Words words;
  if (udp == nullptr || !args.Byte(0, &packet) || !args.Int32s(1, &words)) return nullptr;
  if (words.size < kAddressWords) return ThrowMisuse(env, "the address has too few words");
  napi_value result = nullptr;
  napi_get_boolean(env, udp->SendOne(packet, words.data), &result);
  return result;
}

// multihome(): 0 or an errno
napi_value Multihome(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Udp* udp = UnwrapOpen(env, args.self());
  return udp == nullptr ? nullptr : MakeInt(env, udp->Multihome());
}

// localAddress(words)
napi_value LocalAddress(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Udp* udp = UnwrapOpen(env, args.self());
  Words words;
  if (udp == nullptr || !args.Int32s(0, &words)) return nullptr;
  if (words.size < kAddressWords) return ThrowMisuse(env, "the address has too few words");
  Address address = {};
  socklen_t size = sizeof address;
  if (getsockname(udp->fd(), &address.any, &size) != 0) return ThrowErrno(env, errno, "getsockname");
  AddressToWords(address, words.data);
  return nullptr;
}

napi_value Dropped(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Udp* udp = Unwrap<Udp>(env, args.self());
  return udp == nullptr ? nullptr : MakeInt(env, udp->dropped());
}

napi_value Syscalls(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Udp* udp = Unwrap<Udp>(env, args.self());
  return udp == nullptr ? nullptr : MakeInt(env, udp->syscalls());
}

napi_value Pending(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Udp* udp = Unwrap<Udp>(env, args.self());
  return udp == nullptr ? nullptr : MakeBool(env, udp->pending());
}

}  // namespace

bool InitUdp(napi_env env, napi_value exports) {
  const Method methods[] = {
      {"localAddress", LocalAddress}, {"recvBatch", RecvBatch},
      {"sendBatch", SendBatch},       {"send", Send},
      {"poll", Pollable::JsPoll},     {"ref", Pollable::JsRef},
      {"unref", Pollable::JsUnref},   {"close", Pollable::JsClose},
      {"multihome", Multihome},
  };
  const Method getters[] = {
      {"fd", Pollable::JsFd},
      {"dropped", Dropped},
      {"pending", Pending},
      {"syscalls", Syscalls},
  };
  return DefineClass(env, exports, "Udp", NewUdp, methods, getters);
}

}  // namespace ovpn
