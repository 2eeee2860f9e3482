// SPDX-License-Identifier: Apache-2.0
#include "ctl/doctor/facts.h"

#include <linux/ethtool.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace stem::ctl {
namespace {

constexpr uint32_t kMostFeatures = 512;

// One interface through ethtool's and netdevice's ioctls.
class Device {
 public:
  explicit Device(const std::string& name) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    name.copy(request_.ifr_name, IFNAMSIZ - 1);
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() {
    if (fd_ >= 0) close(fd_);
  }

  bool Ask(unsigned long what) { return fd_ >= 0 && ioctl(fd_, what, &request_) == 0; }
  const ifreq& answer() const { return request_; }

  bool Ethtool(void* command) {
    request_.ifr_data = static_cast<char*>(command);
    return Ask(SIOCETHTOOL);
  }

 private:
  int fd_;
  ifreq request_{};
};

uint32_t FeatureCount(Device& device) {
  // The answer ends in one number for each set that was asked about.
  std::array<uint64_t, (sizeof(ethtool_sset_info) + sizeof(uint32_t) + 7) / 8> room{};
  auto* info = reinterpret_cast<ethtool_sset_info*>(room.data());
  info->cmd = ETHTOOL_GSSET_INFO;
  info->sset_mask = uint64_t{1} << ETH_SS_FEATURES;
  if (!device.Ethtool(info) || info->sset_mask == 0) return 0;
  return std::min(info->data[0], kMostFeatures);
}

std::map<std::string, bool> Features(Device& device) {
  const uint32_t count = FeatureCount(device);
  const uint32_t blocks = (count + 31) / 32;
  std::vector<uint64_t> names_room((sizeof(ethtool_gstrings) + count * ETH_GSTRING_LEN + 7) / 8);
  auto* names = reinterpret_cast<ethtool_gstrings*>(names_room.data());
  names->cmd = ETHTOOL_GSTRINGS;
  names->string_set = ETH_SS_FEATURES;
  names->len = count;
  std::vector<uint64_t> states_room(
      (sizeof(ethtool_gfeatures) + blocks * sizeof(ethtool_get_features_block) + 7) / 8);
  auto* states = reinterpret_cast<ethtool_gfeatures*>(states_room.data());
  states->cmd = ETHTOOL_GFEATURES;
  states->size = blocks;
  std::map<std::string, bool> out;
  if (count == 0 || !device.Ethtool(names) || !device.Ethtool(states)) return out;
  for (uint32_t i = 0; i < count; ++i) {
    const char* name = reinterpret_cast<const char*>(names->data) + size_t{i} * ETH_GSTRING_LEN;
    out[std::string(name, strnlen(name, ETH_GSTRING_LEN))] =
        (states->features[i / 32].active >> i % 32 & 1) != 0;
  }
  return out;
}

// By path, not by sysctl name: an interface's name may have dots in it.
int ReversePath(const std::string& interface) {
  std::ifstream file("/proc/sys/net/ipv4/conf/" + interface + "/rp_filter");
  int value = 0;
  return file >> value ? value : 0;
}

InterfaceFacts Describe(const std::string& name) {
  InterfaceFacts facts;
  facts.name = name;
  Device device(name);
  if (!device.Ask(SIOCGIFFLAGS)) return facts;
  facts.exists = true;
  facts.up = (device.answer().ifr_flags & IFF_UP) != 0;
  if (device.Ask(SIOCGIFMTU)) facts.mtu = static_cast<uint32_t>(device.answer().ifr_mtu);
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  if (device.Ethtool(&driver)) facts.driver = driver.driver;
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (device.Ethtool(&channels)) {
    facts.queues = std::max(1u, channels.rx_count + channels.combined_count);
    facts.most_queues = std::max(channels.max_rx, channels.max_combined);
    facts.combined = channels.max_combined > 0;
  }
  facts.features = Features(device);
  facts.reverse_path = std::max(ReversePath("all"), ReversePath(name));
  return facts;
}

}  // namespace

HostFacts GatherFacts(const std::vector<std::string>& interfaces) {
  HostFacts facts;
  for (const std::string& name : interfaces) facts.interfaces.push_back(Describe(name));
  facts.cpus = std::thread::hardware_concurrency();
  std::error_code unreadable;
  facts.btf = std::filesystem::exists("/sys/kernel/btf/vmlinux", unreadable);
  struct statfs fs {};
  facts.bpffs = statfs("/sys/fs/bpf", &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
  for (const std::string name : {"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"}) {
    std::string path = "/proc/sys/" + name;
    std::replace(path.begin() + 10, path.end(), '.', '/');
    std::ifstream file(path);
    if (std::string value; file >> value) facts.settings[name] = value;
  }
  return facts;
}

}  // namespace stem::ctl
