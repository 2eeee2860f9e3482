// SPDX-License-Identifier: Apache-2.0
// What must hold of the pipeline whatever it meets, judged from outside: by what it did to packets,
// counters and pinholes, with the plain meaning of each promise and none of the program's own code.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "common/address.h"
#include "tests/user_space/machine.h"

namespace stem {

// What is said of a UDP packet, read without the program's parser.
struct SeenDatagram {
  Endpoint source;
  std::span<const uint8_t> payload;
};
std::optional<SeenDatagram> ReadDatagram(std::span<const uint8_t> frame);

class PipelineOracle {
 public:
  explicit PipelineOracle(Machine& machine) : machine_(machine) {}

  // The pinhole has a new grant: who talks, how fast and from where is found anew.
  void Granted(const stem_pinhole_key& key);
  void Closed(const stem_pinhole_key& key) { pinholes_.erase(KeyText(key)); }

  // Of a frame that came in on `side`, and what the machine has just made of it.
  void Judge(std::span<const uint8_t> frame, stem_side side, const Fate& fate);

 private:
  struct SeenPinhole {
    uint64_t packets = 0;
    uint64_t bytes = 0;
    std::optional<Endpoint> latched;
    // Policing: what lies in the bucket, in units of 2^-STEM_RATE_SHIFT ns, and when that was.
    std::array<uint64_t, 2> level{};
    uint64_t level_ns = 0;
    // RTP: who talks, and the numbers that went through.
    bool pinned = false;
    uint32_t ssrc = 0;
    uint16_t highest = 0;
    std::set<uint16_t> passed;
    uint64_t last_good_ns = 0;
  };

  static std::string KeyText(const stem_pinhole_key& key);

  static void JudgeLengths(std::span<const uint8_t> frame, stem_reason reason);
  void JudgeBytes(std::span<const uint8_t> frame, const Fate& fate, stem_reason reason) const;
  void JudgeModules(stem_reason reason) const;
  // Returns whether a packet went through a pinhole.
  bool JudgePinholes(std::span<const uint8_t> frame);
  void JudgePeer(const stem_pinhole& pinhole, const SeenDatagram& datagram, SeenPinhole& seen);
  void JudgeRate(const stem_media_limits& limits, uint64_t bytes, SeenPinhole& seen);
  void JudgeSequence(const stem_pinhole& pinhole, const stem_media_limits& limits,
                     const SeenDatagram& datagram, SeenPinhole& seen);

  Machine& machine_;
  std::map<std::string, SeenPinhole> pinholes_;
};

}  // namespace stem
