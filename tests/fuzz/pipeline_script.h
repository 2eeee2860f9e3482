// SPDX-License-Identifier: Apache-2.0
// The inputs of fuzz_pipeline: a head, then steps, each a byte (mod kSteps) and its arguments.
// Numbers of two bytes are in network order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace stem {

// Head: bits of PipelineSwitch; modes of the modules, two bits each; which rule set; then three
// bytes of limits, two in each: SYN sources and new sources, SYN destinations and SIP sources, new
// SIP sources and early fragments.
constexpr size_t kPipelineHead = 7;
enum PipelineSwitch : uint8_t {
  kDefaultPass = 1,
  kAgentDownPass = 2,
  kFragmentsPass = 4,
  kSynChallenge = 8,
  kSynPermits = 16,
  kListens = 32,
  kSmallTables = 64,
  kSipAnswered = 128,
};

enum class PipelineStep : uint8_t {
  kFrame,    // arrival, length (2), the frame
  kMedia,    // arrival, pinhole, number (2), ssrc and kind, payload type, payload's length
  kOpen,     // pinhole, peer and media, extras and rate, payload type, longest
  kClose,    // pinhole
  kTime,     // 2^n nanoseconds
  kBlock,    // source and destination, scope, until
  kPermit,   // source, until
  kSegment,  // arrival, source, destination port, TCP flags, whether it answers the last challenge
  kSip,      // arrival, source, what
  kReload,   // modes (2), rule set
};
constexpr unsigned kSteps = 10;

// `arrival`: what of the frame is to be done, besides letting it in.
enum Arrives : uint8_t {
  kInside = 1,
  kElsewhere = 2,   // on no interface of the firewall
  kOtherQueue = 4,  // on one where nobody listens
  kSimulated = 8,   // first by a simulation, which must say the same and leave no trace
};

constexpr uint8_t kPinholes = 8;

}  // namespace stem
