// SPDX-License-Identifier: Apache-2.0
#include "ctl/simulate/capture.h"

#include <pcap/pcap.h>

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

constexpr size_t kMacs = 12;

std::string WithType(std::string_view type, std::string_view packet) {
  return std::string(kMacs, '\x02') + std::string(type) + std::string(packet);
}

// Where the EtherType lies and the packet begins, for Linux cooked captures.
std::optional<std::string> FromCooked(std::string_view bytes, size_t type_at, size_t packet_at) {
  if (bytes.size() < packet_at) return std::nullopt;
  return WithType(bytes.substr(type_at, 2), bytes.substr(packet_at));
}

std::optional<std::string> ToEthernet(int link, std::string_view bytes) {
  switch (link) {
    case DLT_EN10MB:
      return std::string(bytes);
    case DLT_LINUX_SLL:
      return FromCooked(bytes, 14, 16);
    case DLT_LINUX_SLL2:
      return FromCooked(bytes, 0, 20);
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      if (bytes.empty()) return std::nullopt;
      return WithType(
          static_cast<uint8_t>(bytes[0]) >> 4 == 6 ? "\x86\xdd" : std::string_view("\x08\x00", 2),
          bytes);
    default:
      return std::nullopt;
  }
}

bool IsKnown(int link) {
  return link == DLT_EN10MB || link == DLT_LINUX_SLL || link == DLT_LINUX_SLL2 || link == DLT_RAW ||
         link == DLT_IPV4 || link == DLT_IPV6;
}

}  // namespace

absl::Status ReadCapture(const std::string& path,
                         const std::function<absl::Status(CapturedPacket)>& take) {
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> capture(
      pcap_open_offline(path.c_str(), error.data()), pcap_close);
  if (capture == nullptr) {
    return absl::NotFoundError(fmt::format("cannot read the capture: {}", error.data()));
  }
  const int link = pcap_datalink(capture.get());
  if (!IsKnown(link)) {
    const char* name = pcap_datalink_val_to_name(link);
    return absl::FailedPreconditionError(
        fmt::format("{} was captured on a link of type {}: capture on an Ethernet interface", path,
                    name == nullptr ? "unknown" : name));
  }
  for (;;) {
    pcap_pkthdr* header = nullptr;
    const u_char* bytes = nullptr;
    const int got = pcap_next_ex(capture.get(), &header, &bytes);
    if (got == PCAP_ERROR_BREAK) return absl::OkStatus();
    if (got != 1) {
      return absl::FailedPreconditionError(
          fmt::format("{} is damaged: {}", path, pcap_geterr(capture.get())));
    }
    std::optional<std::string> frame =
        ToEthernet(link, {reinterpret_cast<const char*>(bytes), header->caplen});
    if (!frame) frame.emplace();  // too short for its own header; the kernel will say so
    RETURN_IF_ERROR(take({*std::move(frame), header->caplen == header->len}));
  }
}

}  // namespace stem::ctl
