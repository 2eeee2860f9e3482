// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/interface_queues.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/unique_fd.h"
#include "fmt/format.h"

namespace stem {

absl::StatusOr<uint32_t> RxQueueCount(const std::string& interface) {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoStatus(errno, "opening a socket for ethtool");
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&channels);
  if (ioctl(fd.get(), SIOCETHTOOL, &request) != 0) {
    if (errno == EOPNOTSUPP) return 1;
    return ErrnoStatus(errno, fmt::format("reading the queues of '{}'", interface));
  }
  return std::max(1u, channels.rx_count + channels.combined_count);
}

}  // namespace stem
