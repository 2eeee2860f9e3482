// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/tun_device.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "agent/dataplane/errno_status.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

absl::Status WriteSysctl(const std::string& path, std::string_view value) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  // A kernel without IPv6 has no such file, and needs none.
  if (!fd.valid() && errno == ENOENT) return absl::OkStatus();
  if (!fd.valid() || write(fd.get(), value.data(), value.size()) < 0) {
    return ErrnoStatus(errno, fmt::format("setting {} to {}", path, value));
  }
  return absl::OkStatus();
}

absl::Status Configure(const std::string& name) {
  const std::string v4 = fmt::format("/proc/sys/net/ipv4/conf/{}/", name);
  const std::string v6 = fmt::format("/proc/sys/net/ipv6/conf/{}/", name);
  RETURN_IF_ERROR(WriteSysctl(v4 + "forwarding", "1"));
  // The kernel uses the larger of this and conf/all: 2 (loose) overrides a strict `all`, and is
  // what udev sets anyway on a new device.
  RETURN_IF_ERROR(WriteSysctl(v4 + "rp_filter", "2"));
  RETURN_IF_ERROR(WriteSysctl(v4 + "accept_local", "1"));
  // No link-local address of its own: the device carries other hosts' packets only.
  RETURN_IF_ERROR(WriteSysctl(v6 + "addr_gen_mode", "1"));
  RETURN_IF_ERROR(WriteSysctl(v6 + "forwarding", "1"));
  return absl::OkStatus();
}

// A loose reverse-path check still fails every packet of a device without any address
// (__fib_validate_source), so the device gets the one that stands for nobody: RFC 7600, 192.0.0.8.
constexpr uint8_t kDummyAddress[] = {192, 0, 0, 8};

constexpr int kLongestPacket = 65535;

absl::Status Raise(const std::string& name) {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoStatus(errno, "opening a socket to configure the TUN device");
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  std::memcpy(&address.sin_addr, kDummyAddress, sizeof(kDummyAddress));
  std::memcpy(&request.ifr_addr, &address, sizeof(address));
  if (ioctl(fd.get(), SIOCSIFADDR, &request) != 0) {
    return ErrnoStatus(errno, fmt::format("giving {} its address", name));
  }
  // As long as a packet can be: what came in fragments goes back whole, and the kernel fragments it
  // anew on its way out.
  request.ifr_mtu = kLongestPacket;
  if (ioctl(fd.get(), SIOCSIFMTU, &request) != 0) {
    return ErrnoStatus(errno, fmt::format("setting the MTU of {}", name));
  }
  request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_NOARP;
  if (ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) {
    return ErrnoStatus(errno, fmt::format("raising {}", name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TunDevice> TunDevice::Open(const std::string& name) {
  UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoStatus(errno, "opening /dev/net/tun (is the tun driver there? `modprobe tun`)");
  }
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<int16_t>(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL);
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    return ErrnoStatus(errno == EBUSY ? EEXIST : errno, fmt::format("making TUN device {}", name));
  }
  RETURN_IF_ERROR(Configure(name));
  RETURN_IF_ERROR(Raise(name));
  return TunDevice(name, std::move(fd));
}

absl::Status TunDevice::Write(std::string_view ip_packet) {
  const ssize_t written = write(fd_.get(), ip_packet.data(), ip_packet.size());
  if (written == static_cast<ssize_t>(ip_packet.size())) return absl::OkStatus();
  return ErrnoStatus(written < 0 ? errno : EIO, fmt::format("writing to {}", name_));
}

}  // namespace stem
