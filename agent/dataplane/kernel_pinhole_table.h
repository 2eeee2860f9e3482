// SPDX-License-Identifier: Apache-2.0
// The pinholes in the kernel: maps `pinholes`, `pinhole_details`, `pinhole_index`, `media_limits`.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "agent/dataplane/mapped_array.h"
#include "agent/dataplane/media_limit_table.h"
#include "agent/dataplane/pinhole_index.h"
#include "agent/dataplane/pinhole_table.h"

namespace stem {

// The one writer of those maps, all of which it shares memory with: no system call for a pinhole.
// Only the signalling thread may use it.
class KernelPinholeTable : public PinholeTable {
 public:
  // Of the pipeline's maps.
  struct Maps {
    int index, pinholes, details, limits;
  };

  // Elements of `pinholes` and `pinhole_details` for so many pinholes, and the other way round.
  static uint32_t PlacesFor(uint32_t max_pinholes) { return max_pinholes + kSpare; }
  static uint32_t MaxPinholesOf(uint32_t places) { return places - kSpare; }

  // With the pinholes that an earlier agent has opened. FAILED_PRECONDITION when the maps
  // contradict each other.
  static absl::StatusOr<std::unique_ptr<KernelPinholeTable>> Open(const Maps& maps);

  absl::Status Open(const PinholeKey& key, const PinholeGrant& grant, uint64_t now_ns) override;
  absl::StatusOr<std::optional<PinholeUse>> Close(const PinholeKey& key) override;
  absl::StatusOr<std::optional<Pinhole>> Find(const PinholeKey& key) const override;
  absl::StatusOr<std::vector<Pinhole>> List() const override;

 private:
  // Places that are free even when the table is full: one for a change, and so many that have to be
  // used before the agent waits for packets that may be on their way through them.
  static constexpr uint32_t kSpare = 1 + 1024;

  struct FreePlace {
    uint32_t place = 0;
    // Left in use, for a packet on its way.
    std::optional<uint32_t> limits{};
    uint64_t since = 0;  // in waits_
  };

  KernelPinholeTable(MappedArray<stem_pinhole_bucket> buckets, MappedArray<stem_pinhole> pinholes,
                     MappedArray<stem_pinhole_details> details)
      : buckets_(std::move(buckets)),
        pinholes_(std::move(pinholes)),
        details_(std::move(details)),
        index_(buckets_.entries(), pinholes_.entries()) {}

  Pinhole At(uint32_t place) const;
  // A place that no packet is on its way through.
  uint32_t Take();
  void Free(uint32_t place);

  MappedArray<stem_pinhole_bucket> buckets_;
  MappedArray<stem_pinhole> pinholes_;
  MappedArray<stem_pinhole_details> details_;
  PinholeIndex index_;
  std::unique_ptr<MediaLimitTable> limits_;
  std::deque<FreePlace> free_;  // that for longest first
  uint64_t waits_ = 1;          // for packets on their way
};

}  // namespace stem
