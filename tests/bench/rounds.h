// SPDX-License-Identifier: Apache-2.0
// Interleaved repetitions: A B C A B C ..., so that what disturbs the machine disturbs all alike.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/bench/contestant.h"

namespace stem {

struct BenchOptions {
  int rounds = 7;        // repetitions of each measure
  double seconds = 0.3;  // each
};

// What a contestant must do with the traffic for the run to count.
enum class Duty { kRelay, kDrop };

// One contestant with its traffic, and what was measured of it.
struct Entry {
  std::string name;
  Contestant* contestant = nullptr;
  Traffic traffic;
  Duty duty = Duty::kDrop;
  bool deliver = true;  // false: the generator alone, frames dropped where they are made

  std::vector<double> ns = {};  // for each frame handled, one a round
  double lost = 0;  // part of the frames that were sent and not handled, the worst round

  double median_ns() const;
  double mpps() const { return 1000 / median_ns(); }
};

// Runs every entry once a round. INTERNAL, naming the entry, when the contestant does not do its
// duty, or when another CPU did a part of the work: the figures would mean something else.
absl::Status RunRounds(const BenchOptions& options, std::vector<Entry>& entries);

}  // namespace stem
