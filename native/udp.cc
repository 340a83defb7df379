// UDP sockets that move a batch per system call: recvmmsg straight into the slots, sendmmsg out of
// them (2.x socket.c: create_socket_udp(), link_socket_read/write_udp_posix(); mtu.c for the error
// queue). Headers, vectors and addresses are members, laid out once per socket.
//
// IP_RECVERR is on as in 2.x: without it Linux tells an unconnected socket nothing of ICMP errors.
// The price is that any send or receive may fail with an error of an earlier packet; such a call is
// tried once more, and only a second failure is held against the packet at hand.
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "poll.h"

namespace ovpn {
namespace {

constexpr int32_t kBatch = 64;
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

class Udp : public Pollable {
 public:
  static constexpr uint32_t kKinds = kUdp;

  Udp(napi_env env, int family) : Pollable(env, kUdp), family_(family) {
    for (int32_t i = 0; i < kBatch; i++) {
      headers_[i].msg_hdr.msg_name = &addresses_[i];
      headers_[i].msg_hdr.msg_iov = &vectors_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  int32_t Receive(Batch* batch, int32_t* words, size_t headroom, size_t room, int32_t limit);
  int32_t Send(const Batch& batch, const int32_t* words, int32_t first, int32_t end);
  bool SendOne(const Bytes& packet, const int32_t* words);

  int64_t dropped() const { return dropped_; }
  int64_t syscalls() const { return syscalls_; }

 protected:
  void OnErrorCondition() override;

 private:
  int ReceiveSome(Batch* batch, int32_t first, size_t headroom, size_t room, int32_t limit);
  int32_t Keep(Batch* batch, int32_t* words, int32_t first, int32_t received);
  int32_t Prepare(const Batch& batch, const int32_t* words, int32_t* slot, int32_t end);
  int32_t DrainErrorQueue(int* error);
  void Report(int32_t op, int error);

  const int family_;
  int64_t dropped_ = 0;
  int64_t syscalls_ = 0;
  mmsghdr headers_[kBatch] = {};
  iovec vectors_[kBatch] = {};
  Address addresses_[kBatch] = {};
  // The slot of each prepared header, to tell the caller how far sending came.
  int32_t slots_[kBatch] = {};
};

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

// One recvmmsg into the slots from `first`; datagrams received, or -1 with errno set.
int Udp::ReceiveSome(Batch* batch, int32_t first, size_t headroom, size_t room, int32_t limit) {
  const int32_t count = limit - first;
  for (int32_t i = 0; i < count; i++) {
    const size_t offset = static_cast<size_t>(first + i) * batch->slot_size + headroom;
    vectors_[i].iov_base = batch->slab + offset;
    vectors_[i].iov_len = room;
    headers_[i].msg_hdr.msg_namelen = sizeof addresses_[i];
    headers_[i].msg_hdr.msg_flags = 0;
    batch->offsets[first + i] = static_cast<int32_t>(offset);
  }
  syscalls_++;
  return recvmmsg(fd_, headers_, static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
}

// Takes over what ReceiveSome() got; empty and truncated datagrams are dropped and the ones behind
// them moved up. Returns the datagrams kept.
int32_t Udp::Keep(Batch* batch, int32_t* words, int32_t first, int32_t received) {
  int32_t kept = 0;
  for (int32_t i = 0; i < received; i++) {
    const size_t size = headers_[i].msg_len;
    if (size == 0 || (headers_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      dropped_++;
      continue;
    }
    const int32_t slot = first + kept++;
    if (kept - 1 != i) memcpy(batch->packet(static_cast<size_t>(slot)), vectors_[i].iov_base, size);
    batch->lengths[slot] = static_cast<int32_t>(size);
    AddressToWords(addresses_[i], words + static_cast<size_t>(slot) * kAddressWords);
  }
  return kept;
}

int32_t Udp::Receive(Batch* batch, int32_t* words, size_t headroom, size_t room, int32_t limit) {
  if (limit > kBatch) limit = kBatch;
  for (int errors = 0; errors < kReceiveErrors && limit > 0;) {
    const int received = ReceiveSome(batch, 0, headroom, room, limit);
    if (received > 0) {
      const int32_t kept = Keep(batch, words, 0, received);
      if (kept > 0) return kept;
      errors++;
      continue;
    }
    if (received == 0 || errno == EAGAIN || errno == EWOULDBLOCK) break;
    if (errno == EINTR) continue;
    Report(kOpRead, errno);
    errors++;
  }
  return 0;
}

// Fills headers from *slot on, passing over empty and unaddressable slots; *slot ends behind the
// last one looked at.
int32_t Udp::Prepare(const Batch& batch, const int32_t* words, int32_t* slot, int32_t end) {
  int32_t count = 0;
  for (; *slot < end && count < kBatch; (*slot)++) {
    const size_t index = static_cast<size_t>(*slot);
    if (batch.lengths[index] == 0) continue;
    const socklen_t size = AddressFromWords(words + index * kAddressWords, family_, &addresses_[count]);
    if (size == 0) {
      errors_.Add(env_, kOpWrite, EAFNOSUPPORT, -1);
      continue;
    }
    headers_[count].msg_hdr.msg_namelen = size;
    vectors_[count].iov_base = batch.packet(index);
    vectors_[count].iov_len = static_cast<size_t>(batch.lengths[index]);
    slots_[count++] = *slot;
  }
  return count;
}

int32_t Udp::Send(const Batch& batch, const int32_t* words, int32_t first, int32_t end) {
  int32_t slot = first;
  while (slot < end) {
    const int32_t count = Prepare(batch, words, &slot, end);
    int32_t failed = -1;
    for (int32_t done = 0; done < count;) {
      syscalls_++;
      const int sent = sendmmsg(fd_, headers_ + done, static_cast<unsigned>(count - done), MSG_DONTWAIT);
      if (sent > 0) {
        done += sent;
        continue;
      }
      if (sent == 0 || errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return slots_[done] - first;
      Report(kOpWrite, errno);
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
  for (int attempts = 0; attempts < 2;) {
    syscalls_++;
    if (sendto(fd_, packet.data, packet.size, MSG_DONTWAIT, &address.any, size) >= 0) return true;
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    Report(kOpWrite, errno);
    attempts++;
  }
  return false;
}

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// A bound socket, or -1 after throwing.
int OpenSocket(napi_env env, const int32_t* bind_words, int family, bool ipv6_only, int sndbuf, int rcvbuf) {
  const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (fd < 0) {
    ThrowErrno(env, errno, "socket");
    return -1;
  }
  // A refused buffer size is no reason to fail: 2.x warns at most.
  if (sndbuf > 0) SetOption(fd, SOL_SOCKET, SO_SNDBUF, sndbuf);
  if (rcvbuf > 0) SetOption(fd, SOL_SOCKET, SO_RCVBUF, rcvbuf);
  SetOption(fd, SOL_IP, IP_RECVERR, 1);
  if (family == AF_INET6) {
    SetOption(fd, SOL_IPV6, IPV6_V6ONLY, ipv6_only ? 1 : 0);
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

// new Udp(bind, ipv6Only, sndbuf, rcvbuf, errors, onReady)
napi_value NewUdp(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Words bind_words, errors;
  bool ipv6_only;
  int32_t sndbuf, rcvbuf;
  napi_value callback;
  if (!args.Constructing(info) || !args.Int32s(0, &bind_words) || !args.Bool(1, &ipv6_only) ||
      !args.Int(2, &sndbuf) || !args.Int(3, &rcvbuf) || !args.Int32s(4, &errors) ||
      !args.Function(5, &callback)) {
    return nullptr;
  }
  if (bind_words.size < kAddressWords || (bind_words.data[0] != 4 && bind_words.data[0] != 6)) {
    return ThrowMisuse(env, "the local address has no family");
  }
  const int family = bind_words.data[0] == 6 ? AF_INET6 : AF_INET;
  const int fd = OpenSocket(env, bind_words.data, family, ipv6_only, sndbuf, rcvbuf);
  if (fd < 0) return nullptr;
  Udp* udp = new Udp(env, family);
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

}  // namespace

bool InitUdp(napi_env env, napi_value exports) {
  const Method methods[] = {{"localAddress", LocalAddress}, {"recvBatch", RecvBatch},
                            {"sendBatch", SendBatch},       {"send", Send},
                            {"poll", Pollable::JsPoll},     {"ref", Pollable::JsRef},
                            {"unref", Pollable::JsUnref},   {"close", Pollable::JsClose}};
  const Method getters[] = {{"fd", Pollable::JsFd}, {"dropped", Dropped}, {"syscalls", Syscalls}};
  return DefineClass(env, exports, "Udp", NewUdp, methods, 8, getters, 3);
}

}  // namespace ovpn
