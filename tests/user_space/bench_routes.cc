// SPDX-License-Identifier: Apache-2.0
#include "tests/user_space/bench_routes.h"

#include <linux/bpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "common/address.h"

namespace stem {
namespace {

constexpr uint16_t kMtu = 1500;

struct Network {
  Prefix prefix;
  IpAddress neighbour;
  bool outside = false;
};

Network Parse(const char* prefix, const char* neighbour, bool outside) {
  return {*Prefix::Parse(prefix), *IpAddress::Parse(neighbour), outside};
}

}  // namespace

std::function<long(bpf_fib_lookup&)> BenchRoutes(BenchInterfaces interfaces) {
  static const std::array<Network, 4> networks = {
      Parse("192.0.2.0/24", "192.0.2.10", true),
      Parse("2001:db8:1::/64", "2001:db8:1::10", true),
      Parse("198.51.100.0/24", "198.51.100.20", false),
      Parse("2001:db8:2::/64", "2001:db8:2::20", false),
  };
  return [interfaces](bpf_fib_lookup& route) -> long {
    const IpAddress to = route.family == AF_INET
                             ? IpAddress::FromV4(reinterpret_cast<const uint8_t*>(&route.ipv4_dst))
                             : IpAddress::FromV6(reinterpret_cast<const uint8_t*>(route.ipv6_dst));
    for (const Network& network : networks) {
      if (!network.prefix.Contains(to)) continue;
      route.ifindex = network.outside ? interfaces.outside : interfaces.inside;
      if (route.tot_len > kMtu) return BPF_FIB_LKUP_RET_FRAG_NEEDED;
      if (to != network.neighbour) return BPF_FIB_LKUP_RET_NO_NEIGH;
      const uint8_t link = network.outside ? 1 : 2;
      const uint8_t from[6] = {0x02, 0, 0, 0, link, 0x01}, peer[6] = {0x02, 0, 0, 0, link, 0x02};
      std::memcpy(route.smac, from, sizeof(from));
      std::memcpy(route.dmac, peer, sizeof(peer));
      return BPF_FIB_LKUP_RET_SUCCESS;
    }
    return BPF_FIB_LKUP_RET_NOT_FWDED;
  };
}

}  // namespace stem
