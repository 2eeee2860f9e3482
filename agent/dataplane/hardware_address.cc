// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/hardware_address.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/unique_fd.h"
#include "fmt/format.h"

namespace stem {

absl::StatusOr<MacAddress> HardwareAddress(const std::string& interface) {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoStatus(errno, "opening a socket");
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0) {
    return ErrnoStatus(errno, fmt::format("reading the address of '{}'", interface));
  }
  MacAddress address{};
  std::memcpy(address.data(), request.ifr_hwaddr.sa_data, address.size());
  return address;
}

}  // namespace stem
