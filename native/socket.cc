// Socket options that Node has no function for, on any descriptor (2.x socket.c: socket_set_mark(),
// bind_dev, link_socket_update_buffer_sizes(), link_socket_set_tos(); mtu.c set_mtu_discover_type()), and
// the TCP socket that takes them before it connects.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common.h"

namespace ovpn {
namespace {

struct Option {
  const char* name;
  int level;
  int number;
};

constexpr Option kOptions[] = {
    {"sndbuf", SOL_SOCKET, SO_SNDBUF},
    {"rcvbuf", SOL_SOCKET, SO_RCVBUF},
    {"mark", SOL_SOCKET, SO_MARK},
    {"tos", IPPROTO_IP, IP_TOS},
    {"mtu-disc", IPPROTO_IP, IP_MTU_DISCOVER},
    {"mtu-disc6", IPPROTO_IPV6, IPV6_MTU_DISCOVER},
};

// setSocketOption(fd, name, value): 0 or an errno
napi_value SetSocketOption(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t fd, value;
  std::string name;
  if (!args.Int(0, &fd) || !args.Text(1, &name) || !args.Int(2, &value)) return nullptr;
  for (const Option& option : kOptions) {
    if (name != option.name) continue;
    const int setting = value;
    return MakeInt(env,
                   setsockopt(fd, option.level, option.number, &setting, sizeof setting) == 0 ? 0 : errno);
  }
  return ThrowMisuse(env, "unknown socket option");
}

// socketOption(fd, name): its value, or a negative errno
napi_value SocketOption(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t fd;
  std::string name;
  if (!args.Int(0, &fd) || !args.Text(1, &name)) return nullptr;
  for (const Option& option : kOptions) {
    if (name != option.name) continue;
    int value = 0;
    socklen_t size = sizeof value;
    return MakeInt(env, getsockopt(fd, option.level, option.number, &value, &size) == 0 ? value : -errno);
  }
  return ThrowMisuse(env, "unknown socket option");
}

// bindToDevice(fd, device): 0 or an errno
napi_value BindToDevice(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t fd;
  std::string device;
  if (!args.Int(0, &fd) || !args.Text(1, &device)) return nullptr;
  const socklen_t size = static_cast<socklen_t>(device.size() + 1);
  return MakeInt(env, setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device.c_str(), size) == 0 ? 0 : errno);
}

// openTcpSocket(ipv6): a descriptor, or a negative errno
napi_value OpenTcpSocket(napi_env env, napi_callback_info info) {
  Args args(env, info);
  bool ipv6;
  if (!args.Bool(0, &ipv6)) return nullptr;
  const int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  return MakeInt(env, fd >= 0 ? fd : -errno);
}

}  // namespace

bool InitSocket(napi_env env, napi_value exports) {
  return DefineFunction(env, exports, "setSocketOption", SetSocketOption) &&
         DefineFunction(env, exports, "socketOption", SocketOption) &&
         DefineFunction(env, exports, "bindToDevice", BindToDevice) &&
         DefineFunction(env, exports, "openTcpSocket", OpenTcpSocket);
}

}  // namespace ovpn
