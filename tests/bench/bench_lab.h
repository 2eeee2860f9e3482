// SPDX-License-Identifier: Apache-2.0
// Where one contestant stands: a network namespace with a veth pair on each side of it.
//
//   outside1 (generator) -> outside0 [contestant] inside0 -> inside1 (sink)
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/unique_fd.h"

namespace stem {

// The namespace has no name: it ends with the object, or with the process.
class BenchLab {
 public:
  // Two RX queues on each interface. Routes and neighbours are static: nothing needs ARP. Leaves
  // the calling thread in the new namespace. UNAVAILABLE when it cannot be made here.
  static absl::StatusOr<BenchLab> Make();

  // The calling thread lives in this lab from now on.
  absl::Status Enter() const;

  // Runs a shell script; its output is the error. The thread must be in the lab.
  absl::Status Shell(const std::string& script) const;
  absl::Status Nft(const std::string& ruleset) const;

  // Frames that outside0 took in since it was made, whatever became of them then.
  absl::StatusOr<uint64_t> Received() const;

 private:
  explicit BenchLab(UniqueFd ns) : namespace_(std::move(ns)) {}
  UniqueFd namespace_;
};

}  // namespace stem
