// SPDX-License-Identifier: Apache-2.0
// The dynamic block list.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/data_plane_view.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace stem {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint64_t kSweepEvery = 1'000 * kNsPerMs;
constexpr uint64_t kMeasureEvery = 10'000 * kNsPerMs;
constexpr int64_t kLongest = 10LL * 365 * 24 * 3600 * 1000;

struct ScopeName {
  const char* name;
  uint32_t bit;
};
constexpr ScopeName kScopes[] = {
    {"syn", STEM_BLOCK_SYN}, {"signalling", STEM_BLOCK_SIGNALLING}, {"media", STEM_BLOCK_MEDIA}};

template <typename Names>
absl::StatusOr<uint32_t> ParseScopes(const Names& names) {
  if (names.empty()) return static_cast<uint32_t>(STEM_BLOCK_ALL);
  uint32_t scope = 0;
  for (const std::string& name : names) {
    const auto* known = std::find_if(std::begin(kScopes), std::end(kScopes),
                                     [&](const ScopeName& one) { return name == one.name; });
    if (name == "all") {
      scope = STEM_BLOCK_ALL;
    } else if (known != std::end(kScopes)) {
      scope |= known->bit;
    } else {
      return absl::InvalidArgumentError(
          fmt::format("'{}' is no scope: all, syn, signalling or media", name));
    }
  }
  return scope;
}

template <typename Request>
absl::StatusOr<BlockKey> ParseKey(const Request& request) {
  BlockKey key;
  ASSIGN_OR_RETURN(key.source, IpAddress::Parse(request.source()));
  if (key.source.is_unspecified()) {
    return absl::InvalidArgumentError("a block needs the address of one source");
  }
  if (request.destination().empty()) return key;
  ASSIGN_OR_RETURN(key.destination, IpAddress::Parse(request.destination()));
  if (key.destination.is_v4() != key.source.is_v4() || key.destination.is_unspecified()) {
    return absl::InvalidArgumentError(
        fmt::format("nothing goes from {} to {}", request.source(), request.destination()));
  }
  return key;
}

v1::Block ToMessage(const BlockKey& key, const Block& block, uint64_t now_ns) {
  v1::Block out;
  out.set_source(key.source.ToString());
  if (!(key.destination == IpAddress())) out.set_destination(key.destination.ToString());
  if (block.scope == STEM_BLOCK_ALL) {
    out.add_scopes("all");
  } else {
    for (const ScopeName& scope : kScopes) {
      if ((block.scope & scope.bit) != 0) out.add_scopes(scope.name);
    }
  }
  const bool over = block.until_ns <= now_ns;
  out.set_left_ms(block.until_ns == 0 ? -1
                  : over              ? 0
                                      : static_cast<int64_t>((block.until_ns - now_ns) / kNsPerMs));
  out.set_packets(block.packets);
  return out;
}

}  // namespace

absl::StatusOr<v1::ListBlocksResponse> DataPlaneView::Blocks() {
  ASSIGN_OR_RETURN(auto blocks, blocks_.List());
  std::sort(blocks.begin(), blocks.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.source, a.first.destination) <
           std::tie(b.first.source, b.first.destination);
  });
  v1::ListBlocksResponse out;
  const uint64_t now = MonotonicNanoseconds();
  for (const auto& [key, block] : blocks) {
    if (block.until_ns != 0 && block.until_ns <= now) continue;  // not yet swept
    *out.add_blocks() = ToMessage(key, block, now);
  }
  return out;
}

absl::StatusOr<v1::Block> DataPlaneView::FindBlock(const BlockKey& key) const {
  ASSIGN_OR_RETURN(const auto blocks, blocks_.List());
  for (const auto& [known, block] : blocks) {
    if (known.source == key.source && known.destination == key.destination) {
      return ToMessage(known, block, MonotonicNanoseconds());
    }
  }
  return absl::NotFoundError(
      fmt::format("no block of {}: `stemctl block list` names them all", key.source.ToString()));
}

absl::StatusOr<v1::Block> DataPlaneView::AddBlock(const v1::AddBlockRequest& request) {
  ASSIGN_OR_RETURN(const BlockKey key, ParseKey(request));
  Block block;
  ASSIGN_OR_RETURN(block.scope, ParseScopes(request.scopes()));
  if (request.for_ms() < 0 || request.for_ms() > kLongest) {
    return absl::InvalidArgumentError("a block lasts ten years at most, or until it is removed");
  }
  if (request.for_ms() > 0) {
    block.until_ns = MonotonicNanoseconds() + static_cast<uint64_t>(request.for_ms()) * kNsPerMs;
  }
  const absl::Status added = blocks_.Add(key, block);
  if (absl::IsResourceExhausted(added)) ++blocks_refused_;
  RETURN_IF_ERROR(added);
  ASSIGN_OR_RETURN(v1::Block out, FindBlock(key));
  spdlog::info("{} blocked{}: {}", out.source(),
               out.destination().empty() ? "" : " to " + out.destination(),
               fmt::join(out.scopes(), ", "));
  return out;
}

absl::StatusOr<v1::Block> DataPlaneView::RemoveBlock(const v1::RemoveBlockRequest& request) {
  ASSIGN_OR_RETURN(const BlockKey key, ParseKey(request));
  ASSIGN_OR_RETURN(v1::Block was, FindBlock(key));
  RETURN_IF_ERROR(blocks_.Remove(key).status());
  spdlog::info("{} no longer blocked", was.source());
  return was;
}

void DataPlaneView::Tick(uint64_t now_ns) {
  if (now_ns >= next_sweep_ns_) {
    next_sweep_ns_ = now_ns + kSweepEvery;
    if (const auto left = blocks_.Sweep(now_ns); !left.ok()) {
      spdlog::warn("expired blocks are not swept: {}", left.status().ToString());
    }
  }
  if (now_ns >= next_measurement_ns_) {
    next_measurement_ns_ = now_ns + kMeasureEvery;
    Measure();
  }
}

}  // namespace stem
