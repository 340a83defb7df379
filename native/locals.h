// The local addresses that datagrams came to, for --multihome (2.x socket.c:
// link_socket_read_udp_posix_recvmsg(), link_socket_write_udp_posix_sendmsg()). Each is numbered when it is
// first seen.
#ifndef OPENVPN_TS_LOCALS_H_
#define OPENVPN_TS_LOCALS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <vector>

namespace ovpn {

class Locals {
 public:
  // Bytes of control data that a message needs besides others.
  static constexpr size_t kControl = CMSG_SPACE(sizeof(in6_pktinfo));

  // The number of the address that a received message came to; 0 when it doesn't say.
  int32_t Number(msghdr* header);
  // Writes where a message is to leave from; returns the bytes used, 0 = the kernel's choice.
  size_t Write(int32_t number, int family, cmsghdr* item) const;

 private:
  struct Local {
    in6_addr address;
    uint32_t interface;
  };

  std::vector<Local> known_;
};

}  // namespace ovpn

#endif  // OPENVPN_TS_LOCALS_H_
