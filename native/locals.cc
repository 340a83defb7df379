// See locals.h. A look-up goes through the list: a machine has few addresses.
#include "locals.h"

#include <cstring>

namespace ovpn {

namespace {

// More addresses than this are the kernel's choice.
constexpr size_t kMaxKnown = 1024;

}  // namespace

int32_t Locals::Number(msghdr* header) {
  Local found = {};
  bool told = false;
  for (cmsghdr* item = CMSG_FIRSTHDR(header); item != nullptr && !told; item = CMSG_NXTHDR(header, item)) {
    if (item->cmsg_level == SOL_IP && item->cmsg_type == IP_PKTINFO &&
        item->cmsg_len >= CMSG_LEN(sizeof(in_pktinfo))) {
      in_pktinfo info;
      memcpy(&info, CMSG_DATA(item), sizeof info);
      memcpy(&found.address, &info.ipi_spec_dst, sizeof info.ipi_spec_dst);
      found.interface = static_cast<uint32_t>(info.ipi_ifindex);
      told = true;
    } else if (item->cmsg_level == SOL_IPV6 && item->cmsg_type == IPV6_PKTINFO &&
               item->cmsg_len >= CMSG_LEN(sizeof(in6_pktinfo))) {
      in6_pktinfo info;
      memcpy(&info, CMSG_DATA(item), sizeof info);
      found.address = info.ipi6_addr;
      found.interface = info.ipi6_ifindex;
      told = true;
    }
  }
  if (!told) return 0;
  for (size_t i = 0; i < known_.size(); i++) {
    if (memcmp(&known_[i], &found, sizeof found) == 0) return static_cast<int32_t>(i + 1);
  }
  if (known_.size() >= kMaxKnown) return 0;
  known_.push_back(found);
  return static_cast<int32_t>(known_.size());
}

size_t Locals::Write(int32_t number, int family, cmsghdr* item) const {
  if (number <= 0 || static_cast<size_t>(number) > known_.size()) return 0;
  const Local& from = known_[static_cast<size_t>(number) - 1];
  if (family == AF_INET) {
    in_pktinfo info = {};
    info.ipi_ifindex = static_cast<int>(from.interface);
    memcpy(&info.ipi_spec_dst, &from.address, sizeof info.ipi_spec_dst);
    item->cmsg_level = SOL_IP;
    item->cmsg_type = IP_PKTINFO;
    item->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(item), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
  }
  in6_pktinfo info = {};
  info.ipi6_addr = from.address;
  info.ipi6_ifindex = from.interface;
  item->cmsg_level = SOL_IPV6;
  item->cmsg_type = IPV6_PKTINFO;
  item->cmsg_len = CMSG_LEN(sizeof info);
  memcpy(CMSG_DATA(item), &info, sizeof info);
  return CMSG_SPACE(sizeof info);
}

}  // namespace ovpn
