// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/kernel_pinhole_table.h"

#include <linux/membarrier.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

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

PinholeUse UseOf(const stem_pinhole& value, const stem_pinhole_details& details) {
  PinholeUse out{value.opened_ns,    value.last_seen_ns, value.packets,   value.bytes,
                 details.wrong_peer, details.too_fast,   details.refused, std::nullopt};
  if (value.latch == STEM_LATCH_TAKEN) {
    out.latched = Endpoint{IpAddress::FromV6(details.latched_address), details.latched_port};
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

// Everything of the grant but its limits; true when another peer or other media is meant than
// before.
bool SetGrant(const PinholeGrant& grant, stem_pinhole& value, stem_pinhole_details& details) {
  const stem_pinhole before = value;
  const auto& address = grant.peer.address.bytes;
  std::copy(address.begin(), address.end(), value.peer_address);
  value.peer_port = grant.peer.port;
  value.peer_match = static_cast<__u8>(grant.match);
  value.media = static_cast<__u8>(grant.media);
  const uint64_t call_before = std::exchange(details.call, grant.call);
  return !std::equal(std::begin(before.peer_address), std::end(before.peer_address),
                     value.peer_address) ||
         before.peer_port != value.peer_port || before.peer_match != value.peer_match ||
         before.media != value.media || call_before != details.call;
}

// Every XDP program that runs now has ended: membarrier(2) waits for an RCU grace period, which
// takes some milliseconds. Where the kernel has none (nohz_full), a time no packet takes.
void AwaitPacketsOnTheirWay() {
  constexpr std::chrono::milliseconds kLongest{100};
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0) {
    std::this_thread::sleep_for(kLongest);
  }
}

std::string Name(const PinholeKey& key) {
  return fmt::format("pinhole to {}", key.destination.ToString());
}

}  // namespace

absl::StatusOr<std::unique_ptr<KernelPinholeTable>> KernelPinholeTable::Open(const Maps& maps) {
  ASSIGN_OR_RETURN(auto buckets,
                   MappedArray<stem_pinhole_bucket>::Open(maps.index, "pinhole_index"));
  ASSIGN_OR_RETURN(auto pinholes, MappedArray<stem_pinhole>::Open(maps.pinholes, "pinholes"));
  ASSIGN_OR_RETURN(auto details,
                   MappedArray<stem_pinhole_details>::Open(maps.details, "pinhole_details"));
  std::unique_ptr<KernelPinholeTable> table(
      new KernelPinholeTable(std::move(buckets), std::move(pinholes), std::move(details)));
  ASSIGN_OR_RETURN(const std::vector<uint32_t> places, table->index_.Adopt());
  std::vector<bool> is_free(table->pinholes_.entries().size(), true);
  std::vector<uint32_t> limits;
  for (const uint32_t place : places) {
    is_free[place] = false;
    limits.push_back(table->pinholes_.entries()[place].limits);
  }
  for (uint32_t place = 0; place < is_free.size(); ++place) {
    if (is_free[place]) table->free_.push_back({.place = place});
  }
  ASSIGN_OR_RETURN(MediaLimitTable in_use, MediaLimitTable::Open(maps.limits, limits));
  table->limits_ = std::make_unique<MediaLimitTable>(std::move(in_use));
  return table;
}

absl::Status KernelPinholeTable::Open(const PinholeKey& key, const PinholeGrant& grant,
                                      uint64_t now_ns) {
  const stem_pinhole_key kernel_key = ToKernel(key);
  const std::optional<uint32_t> before = index_.Find(kernel_key);
  if (!before.has_value() && free_.size() <= kSpare) {
    return absl::ResourceExhaustedError(
        fmt::format("no room for the {} (limits.pinholes)", Name(key)));
  }

  stem_pinhole value{};
  value.key = kernel_key;
  value.opened_ns = now_ns;
  stem_pinhole_details details{};
  // A changed grant keeps the counters. Packets that pass between this and the index' change are
  // missing from them; the alternative, writing in place, could show a torn grant.
  if (before.has_value()) {
    value = pinholes_.entries()[*before];
    details = details_.entries()[*before];
  }
  const std::array<uint64_t, 2> types_before =
      before.has_value() ? FromKernel(limits_->At(value.limits)).payload_types
                         : grant.limits.payload_types;
  if (SetGrant(grant, value, details) || types_before != grant.limits.payload_types) {
    value.rtp_state = 0;
    value.latch = STEM_LATCH_OPEN;
  }
  // Who was about to take it has the old place.
  if (value.latch == STEM_LATCH_TAKING) value.latch = STEM_LATCH_OPEN;
  value.rules_judged = 0;
  value.place = Take();
  value.limits = limits_->Use(ToKernel(grant.limits));
  pinholes_.entries()[value.place] = value;
  details_.entries()[value.place] = details;
  if (before.has_value()) {
    index_.Move(kernel_key, *before, value.place);
    Free(*before);
  } else if (!index_.Add(kernel_key, value.place)) {
    limits_->Release(value.limits);
    free_.push_front({.place = value.place});
    return absl::ResourceExhaustedError(fmt::format(
        "no room for the {} where its hash puts it: 28 others are there by chance", Name(key)));
  }
  return absl::OkStatus();
}

uint32_t KernelPinholeTable::Take() {
  const FreePlace place = free_.front();
  if (place.since == waits_) {
    AwaitPacketsOnTheirWay();
    ++waits_;
  }
  free_.pop_front();
  if (place.limits.has_value()) limits_->Release(*place.limits);
  return place.place;
}

void KernelPinholeTable::Free(uint32_t place) {
  free_.push_back({place, pinholes_.entries()[place].limits, waits_});
}

absl::StatusOr<std::optional<PinholeUse>> KernelPinholeTable::Close(const PinholeKey& key) {
  const stem_pinhole_key kernel_key = ToKernel(key);
  const std::optional<uint32_t> place = index_.Find(kernel_key);
  if (!place.has_value()) return std::nullopt;
  index_.Remove(kernel_key, *place);
  Free(*place);
  return At(*place).use;
}

Pinhole KernelPinholeTable::At(uint32_t place) const {
  const stem_pinhole value = pinholes_.entries()[place];
  const stem_pinhole_details details = details_.entries()[place];
  return {{{IpAddress::FromV6(value.key.address), value.key.port},
           static_cast<stem_side>(value.key.from_side)},
          {static_cast<stem_peer_match>(value.peer_match),
           {IpAddress::FromV6(value.peer_address), value.peer_port},
           static_cast<stem_media>(value.media),
           details.call,
           FromKernel(limits_->At(value.limits))},
          UseOf(value, details)};
}

absl::StatusOr<std::optional<Pinhole>> KernelPinholeTable::Find(const PinholeKey& key) const {
  const std::optional<uint32_t> place = index_.Find(ToKernel(key));
  if (!place.has_value()) return std::nullopt;
  return At(*place);
}

absl::StatusOr<std::vector<Pinhole>> KernelPinholeTable::List() const {
  std::vector<Pinhole> out;
  for (const uint32_t place : index_.Places()) out.push_back(At(place));
  return out;
}

}  // namespace stem
