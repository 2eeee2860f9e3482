// SPDX-License-Identifier: Apache-2.0
// The dynamic block list, with the operator's blocks and the security manager's.
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

}  // namespace

v1::Block DataPlaneView::DescribeBlock(const BlockEntry& entry, uint64_t now_ns) const {
  const auto& [key, origin, block] = entry;
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
  out.set_origin(origin == STEM_BLOCK_BY_SM ? "security manager" : "operator");
  if (origin != STEM_BLOCK_BY_SM) return out;
  if (const Instruction* instruction = parts_.instructions.BlockOf(key)) {
    out.set_instruction(instruction->id);
    out.set_comment(instruction->comment);
  }
  return out;
}

absl::StatusOr<v1::ListBlocksResponse> DataPlaneView::Blocks() {
  ASSIGN_OR_RETURN(auto blocks, blocks_.List());
  std::sort(blocks.begin(), blocks.end(), [](const BlockEntry& a, const BlockEntry& b) {
    return std::tie(a.key, a.origin) < std::tie(b.key, b.origin);
  });
  v1::ListBlocksResponse out;
  const uint64_t now = MonotonicNanoseconds();
  for (const BlockEntry& entry : blocks) {
    if (entry.block.until_ns != 0 && entry.block.until_ns <= now) continue;  // not yet swept
    *out.add_blocks() = DescribeBlock(entry, now);
  }
  return out;
}

absl::StatusOr<v1::Block> DataPlaneView::FindBlock(const BlockKey& key) const {
  ASSIGN_OR_RETURN(const auto blocks, blocks_.List());
  bool instructed = false;
  for (const BlockEntry& entry : blocks) {
    if (entry.key != key) continue;
    if (entry.origin == STEM_BLOCK_BY_OPERATOR) return DescribeBlock(entry, MonotonicNanoseconds());
    instructed = true;
  }
  if (instructed) {
    return absl::FailedPreconditionError(fmt::format(
        "the security manager has blocked {}, not an operator: `stemctl instruction list` has the "
        "id, `stemctl instruction remove ID` takes it back",
        key.source.ToString()));
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
  const absl::Status added = blocks_.Add(STEM_BLOCK_BY_OPERATOR, key, block);
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
  RETURN_IF_ERROR(blocks_.Remove(STEM_BLOCK_BY_OPERATOR, key).status());
  spdlog::info("{} no longer blocked by an operator", was.source());
  return was;
}

void DataPlaneView::Tick(uint64_t now_ns) {
  if (now_ns >= next_sweep_ns_) {
    next_sweep_ns_ = now_ns + kSweepEvery;
    if (const absl::Status swept = blocks_.Sweep(now_ns); !swept.ok()) {
      spdlog::warn("expired blocks are not swept: {}", swept.ToString());
    }
  }
  if (now_ns >= next_measurement_ns_) {
    next_measurement_ns_ = now_ns + kMeasureEvery;
    Measure();
  }
}

}  // namespace stem
