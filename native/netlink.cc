// Netlink: a NETLINK_ROUTE socket for one exchange with the kernel (rtnetlink(7); 2.x networking_sitnl.c
// sitnl_send()), and the numbers of network interfaces. Messages are made and read in TypeScript
// (src/route/rtnetlink.ts); here bytes go out and come in.
//
// The kernel answers within the sending call, so reading waits for nothing; the time limit is for a kernel
// that does otherwise.
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common.h"

namespace ovpn {
namespace {

constexpr time_t kPatienceSeconds = 5;
// Requests have some dozens of bytes.
constexpr size_t kMaxMessage = 64 * 1024;

class Netlink : public Wrapped {
 public:
  static constexpr uint32_t kKinds = Wrapped::kNetlink;

  Netlink() : Wrapped(Wrapped::kNetlink) {}
  ~Netlink() { Close(); }

  // Returns the system call that failed, with errno set, or nullptr.
  const char* Open() {
    fd_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd_ < 0) return "socket";
    timeval patience = {};
    patience.tv_sec = kPatienceSeconds;
    if (setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) return "setsockopt";
    // An answer of refusal then has no copy of the request. Kernels before 4.3 don't know it.
    const int on = 1;
    setsockopt(fd_, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    sockaddr_nl local = {};
    local.nl_family = AF_NETLINK;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) return "bind";
    return nullptr;
  }

  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  // 0 or an errno.
  int Send(const uint8_t* data, size_t size) const {
    if (fd_ < 0) return EBADF;
    sockaddr_nl kernel = {};
    kernel.nl_family = AF_NETLINK;
    const ssize_t sent = sendto(fd_, data, size, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
    if (sent < 0) return errno;
    return static_cast<size_t>(sent) == size ? 0 : EMSGSIZE;
  }

  // Bytes of the next datagram of the kernel, or a negative errno. What other processes send is dropped.
  ssize_t Receive(uint8_t* data, size_t size) const {
    if (fd_ < 0) return -EBADF;
    for (;;) {
      sockaddr_nl from = {};
      iovec part = {data, size};
      msghdr header = {};
      header.msg_name = &from;
      header.msg_namelen = sizeof from;
      header.msg_iov = &part;
      header.msg_iovlen = 1;
      const ssize_t got = recvmsg(fd_, &header, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return -errno;
      if (header.msg_namelen != sizeof from || from.nl_family != AF_NETLINK || from.nl_pid != 0) continue;
      if ((header.msg_flags & MSG_TRUNC) != 0) return -EMSGSIZE;
      return got;
    }
  }

 private:
  int fd_ = -1;
};

napi_value New(napi_env env, napi_callback_info info) {
  Args args(env, info);
  if (!args.Constructing(info)) return nullptr;
  Netlink* netlink = new Netlink();
  const char* failed = netlink->Open();
  if (failed != nullptr) {
    const int error = errno;
    delete netlink;
    return ThrowErrno(env, error, failed);
  }
  return Wrap(env, args.self(), netlink);
}

napi_value Send(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Bytes message;
  if (!args.Byte(0, &message)) return nullptr;
  const Netlink* netlink = Unwrap<Netlink>(env, args.self());
  if (netlink == nullptr) return nullptr;
  if (message.size < sizeof(nlmsghdr) || message.size > kMaxMessage) {
    return ThrowMisuse(env, "not a netlink message");
  }
  return MakeInt(env, netlink->Send(message.data, message.size));
}

napi_value Receive(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Bytes into;
  if (!args.Byte(0, &into)) return nullptr;
  const Netlink* netlink = Unwrap<Netlink>(env, args.self());
  if (netlink == nullptr) return nullptr;
  if (into.size == 0) return ThrowMisuse(env, "no room for an answer");
  return MakeInt(env, netlink->Receive(into.data, into.size));
}

napi_value Close(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Netlink* netlink = Unwrap<Netlink>(env, args.self());
  if (netlink != nullptr) netlink->Close();
  return nullptr;
}

// interfaceIndex(name): a number from 1, or a negative errno
napi_value InterfaceIndex(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string name;
  if (!args.Text(0, &name)) return nullptr;
  // A longer name would be cut, and then be that of another interface.
  if (name.size() >= IFNAMSIZ) return MakeInt(env, -ENODEV);
  const unsigned index = if_nametoindex(name.c_str());
  if (index == 0) return MakeInt(env, errno != 0 ? -errno : -ENODEV);
  return MakeInt(env, static_cast<int64_t>(index));
}

// interfaceName(index): a name, or '' when there is none
napi_value InterfaceName(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t index;
  if (!args.Int(0, &index)) return nullptr;
  char name[IFNAMSIZ] = {};
  if (index <= 0 || if_indextoname(static_cast<unsigned>(index), name) == nullptr) return MakeText(env, "");
  return MakeText(env, name);
}

}  // namespace

bool InitNetlink(napi_env env, napi_value exports) {
  const Method methods[] = {{"send", Send}, {"receive", Receive}, {"close", Close}};
  return DefineClass(env, exports, "Netlink", New, methods) &&
         DefineFunction(env, exports, "interfaceIndex", InterfaceIndex) &&
         DefineFunction(env, exports, "interfaceName", InterfaceName);
}

}  // namespace ovpn
