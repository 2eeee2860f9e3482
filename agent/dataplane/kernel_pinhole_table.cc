// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/kernel_pinhole_table.h"

#include <bpf/bpf.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/map_walk.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

stem_pinhole_key ToKernel(const PinholeKey& key) {
  stem_pinhole_key out{};
  std::copy(key.destination.address.bytes.begin(), key.destination.address.bytes.end(),
            out.address);
  out.port = key.destination.port;
  out.protocol = IPPROTO_UDP;
  out.from_side = static_cast<__u8>(key.from);
  return out;
}

constexpr double kUnitsPerSecond = 1e9 * (1 << STEM_RATE_SHIFT);

stem_rate ToKernel(const MediaRate& rate) {
  if (rate.per_second == 0) return {};
  const auto cost =
      static_cast<__u64>(std::llround(kUnitsPerSecond / static_cast<double>(rate.per_second)));
  return {cost, cost * rate.burst};
}

MediaRate FromKernel(const stem_rate& rate) {
  if (rate.cost == 0) return {};
  return {static_cast<uint64_t>(std::llround(kUnitsPerSecond / static_cast<double>(rate.cost))),
          rate.tolerance / rate.cost};
}

PinholeUse UseOf(const stem_pinhole& value) {
  PinholeUse out{value.opened_ns,  value.last_seen_ns, value.packets, value.bytes,
                 value.wrong_peer, value.too_fast,     value.refused, std::nullopt};
  if (value.latch == STEM_LATCH_TAKEN) {
    out.latched = Endpoint{IpAddress::FromV6(value.latched_address), value.latched_port};
  }
  return out;
}

MediaLimits FromKernel(const stem_media_limits& limits) {
  return {{limits.payload_types[0], limits.payload_types[1]},
          limits.max_length,
          limits.extras,
          FromKernel(limits.bytes),
          FromKernel(limits.packets)};
}

stem_media_limits ToKernel(const MediaLimits& limits) {
  return {.payload_types = {limits.payload_types[0], limits.payload_types[1]},
          .bytes = ToKernel(limits.bytes),
          .packets = ToKernel(limits.packets),
          .max_length = limits.max_length,
          .extras = limits.extras,
          .reserved = {}};
}

Pinhole FromKernel(const stem_pinhole_key& key, const stem_pinhole& value,
                   const MediaLimitTable& limits) {
  Pinhole out;
  out.key = {{IpAddress::FromV6(key.address), key.port}, static_cast<stem_side>(key.from_side)};
  out.grant = {static_cast<stem_peer_match>(value.peer_match),
               {IpAddress::FromV6(value.peer_address), value.peer_port},
               static_cast<stem_media>(value.media),
               value.call,
               FromKernel(limits.At(value.limits))};
  out.use = UseOf(value);
  return out;
}

// Everything of the grant but its limits into `value`; true when another peer or other media is
// meant than before.
bool SetGrant(const PinholeGrant& grant, stem_pinhole& value) {
  const stem_pinhole before = value;
  const auto& address = grant.peer.address.bytes;
  std::copy(address.begin(), address.end(), value.peer_address);
  value.peer_port = grant.peer.port;
  value.peer_match = static_cast<__u8>(grant.match);
  value.media = static_cast<__u8>(grant.media);
  value.call = grant.call;
  return !std::equal(std::begin(before.peer_address), std::end(before.peer_address),
                     value.peer_address) ||
         before.peer_port != value.peer_port || before.peer_match != value.peer_match ||
         before.media != value.media || before.call != value.call;
}

std::string Name(const PinholeKey& key) {
  return fmt::format("pinhole to {}", key.destination.ToString());
}

}  // namespace

absl::Status KernelPinholeTable::Open(const PinholeKey& key, const PinholeGrant& grant,
                                      uint64_t now_ns) {
  const stem_pinhole_key kernel_key = ToKernel(key);
  stem_pinhole value{};
  value.opened_ns = now_ns;
  // A changed grant keeps the counters. Packets that pass between this read and the write below
  // are missing from them; the alternative, writing in place, could show a torn grant.
  const bool is_new = bpf_map_lookup_elem(map_fd_, &kernel_key, &value) != 0;
  if (is_new && errno != ENOENT) {
    return ErrnoStatus(errno, fmt::format("reading the {}", Name(key)));
  }
  const std::optional<uint32_t> old_limits = is_new ? std::nullopt : std::optional(value.limits);
  value.limits = limits_->Use(ToKernel(grant.limits));
  const bool other_types =
      old_limits.has_value() &&
      FromKernel(limits_->At(*old_limits)).payload_types != grant.limits.payload_types;
  if (SetGrant(grant, value) || other_types) {
    value.rtp_state = 0;
    value.latch = STEM_LATCH_OPEN;
  }
  value.rules_judged = 0;
  if (is_new) filter_->Add(kernel_key);
  if (bpf_map_update_elem(map_fd_, &kernel_key, &value, BPF_ANY) == 0) {
    if (old_limits.has_value()) limits_->Release(*old_limits);
    return absl::OkStatus();
  }
  const int error = errno;
  limits_->Release(value.limits);
  if (is_new) filter_->Remove(kernel_key);
  if (error == E2BIG || error == ENOMEM) {
    return absl::ResourceExhaustedError(
        fmt::format("no room for the {} (limits.pinholes)", Name(key)));
  }
  return ErrnoStatus(error, fmt::format("opening the {}", Name(key)));
}

absl::StatusOr<std::optional<PinholeUse>> KernelPinholeTable::Close(const PinholeKey& key) {
  const stem_pinhole_key kernel_key = ToKernel(key);
  stem_pinhole value{};
  if (bpf_map_lookup_and_delete_elem(map_fd_, &kernel_key, &value) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return ErrnoStatus(errno, fmt::format("closing the {}", Name(key)));
  }
  filter_->Remove(kernel_key);
  limits_->Release(value.limits);
  return UseOf(value);
}

absl::StatusOr<std::optional<Pinhole>> KernelPinholeTable::Find(const PinholeKey& key) const {
  const stem_pinhole_key kernel_key = ToKernel(key);
  stem_pinhole value{};
  if (bpf_map_lookup_elem(map_fd_, &kernel_key, &value) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return ErrnoStatus(errno, fmt::format("reading the {}", Name(key)));
  }
  return FromKernel(kernel_key, value, *limits_);
}

absl::StatusOr<std::vector<Pinhole>> KernelPinholeTable::List() const {
  std::vector<Pinhole> out;
  RETURN_IF_ERROR((WalkMap<stem_pinhole_key, stem_pinhole>(
      map_fd_, "pinholes", [&](const stem_pinhole_key& key, const stem_pinhole& value) {
        out.push_back(FromKernel(key, value, *limits_));
      })));
  return out;
}

}  // namespace stem
