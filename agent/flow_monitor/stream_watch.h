// SPDX-License-Identifier: Apache-2.0
// Malicious streams (report, 3.1): whether a stream keeps sending more than it may, or what it may
// not, although the kernel refuses it.
#pragma once

#include <cstdint>

#include "agent/dataplane/pinhole_table.h"

namespace stem {

class StreamWatch {
 public:
  // More than this share of a stream's packets refused: it exceeds.
  explicit StreamWatch(double tolerated) : tolerated_(tolerated) {}

  // A stream's counters at one time.
  struct Counts {
    uint64_t passed = 0;
    uint64_t refused = 0;  // by policing or by the RTP checks
  };
  static Counts CountsOf(const PinholeUse& use) {
    return {use.packets, use.too_fast + use.refused};
  }

  struct Judgement {
    bool exceeds = false;
    Counts since{};  // what came since `before`
  };
  // A few packets are never a matter: a codec that changes, a burst after a gap. Counters that went
  // back (the pinhole was closed and opened) count from zero.
  Judgement Judge(const Counts& before, const Counts& now) const;

 private:
  double tolerated_;
};

}  // namespace stem
