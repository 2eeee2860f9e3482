// SPDX-License-Identifier: Apache-2.0
// How many of each thing the call monitor keeps at most, how long, and how full its tables are.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace stem {

// Bounds of every table. When one is reached the newcomer is turned away (what that means is said
// at each field); a live call is never evicted.
struct CallLimits {
  size_t calls = 10000;             // full: a new INVITE is answered 503 with Retry-After
  size_t dialogs_per_call = 16;     // full: a further fork's answer passes without pinholes
  size_t held_messages = 1000;      // full: a new INVITE is answered 503 with Retry-After
  size_t held_bytes = 4 << 20;      // the same
  size_t transactions = 40000;      // full: the request is dropped; a call's own: 503
  size_t local_answers = 10000;     // full: the answer is sent, but not remembered
  size_t ladder_steps = 64;         // per call; full: the middle is left out, first and last stay
  size_t ended_calls = 200;         // full: the oldest is forgotten; at least 1
  size_t streams_per_session = 16;  // m= lines; more: the session description is refused
  size_t codecs_per_stream = 32;    // more are not kept
  size_t message_bytes = 65535;     // longer: 400
};

// How long the call monitor waits.
struct CallTimeouts {
  std::chrono::milliseconds ring{180'000};  // INVITE without final response (Timer C)
  std::chrono::milliseconds bye{4'000};     // BYE without final response
  std::chrono::milliseconds max_duration{86'400'000};
  std::chrono::milliseconds idle_media{60'000};  // no packet through any pinhole; 0: never
  // 64*T1 (RFC 3261, 17.1.1.2): how long a finished transaction is remembered.
  std::chrono::milliseconds transaction{32'000};
  // Media seen, or pinhole opened, within this time keeps a pinhole from being taken over.
  std::chrono::milliseconds takeover{5'000};
};

// Who may send media into a pinhole once both endpoints are known.
enum class MediaPeer {
  kEndpoint,  // the address and port the other side named: symmetric RTP (RFC 4961)
  kAddress,   // its address, any port
  kLatch,     // its address, and the port the first good packet comes from; for a party outside
              // that names a private address: where its signalling comes from
};

// What is done about a stream that keeps sending more than it may, or what it may not.
enum class MediaReaction : uint8_t {
  kPolice,  // the kernel drops the excess; nothing more
  kLower,   // its rate is lowered, once
  kClose,   // its call is ended, and with it all its pinholes
};

// How much media may flow, and what happens when more does. Rates are bit/s.
struct MediaPolicy {
  uint64_t unknown_rate = 4'000'000;  // of codecs the firewall does not know
  uint64_t max_rate = 20'000'000;     // of any flow
  double margin = 1.25;               // times what was negotiated
  std::chrono::milliseconds burst{200};
  MediaReaction reaction = MediaReaction::kPolice;
  std::chrono::milliseconds period{10'000};  // how often streams are looked at; 0: never
  double tolerated = 0.2;                    // share of packets refused in a period
  double lowered_to = 0.5;                   // kLower: of the rate

  bool operator==(const MediaPolicy&) const = default;
};

struct CallMonitorConfig {
  CallLimits limits;
  CallTimeouts timeouts;
  std::vector<uint16_t> signalling_ports = {5060};
  MediaPeer media_peer = MediaPeer::kEndpoint;
  MediaPolicy media;
  uint16_t lowest_media_port = 1024;
  int retry_after_seconds = 5;  // in 503 answers
};

// What a bounded table does with one more entry when it is full.
enum class WhenFull : uint8_t { kRefuses, kForgetsOldest };

// How full a bounded table is; as TableUse in proto/stem/v1/control.proto.
struct TableUse {
  std::string_view name;
  uint64_t used = 0;
  uint64_t limit = 0;
  uint64_t high_water = 0;
  uint64_t refused = 0;  // times something was turned away because the table was full
  WhenFull when_full = WhenFull::kRefuses;
};

// Counts the use of one table.
class UseMeter {
 public:
  UseMeter(std::string_view name, uint64_t limit, WhenFull when_full = WhenFull::kRefuses)
      : use_{.name = name, .limit = limit, .when_full = when_full} {}

  // True, and counted, when `amount` more fits; else false and a refusal is counted.
  bool Take(uint64_t amount = 1) {
    if (use_.used + amount > use_.limit) {
      ++use_.refused;
      return false;
    }
    Add(amount);
    return true;
  }
  // Counts `amount` without asking: for what is taken over from an earlier agent.
  void Add(uint64_t amount = 1) {
    use_.used += amount;
    if (use_.used > use_.high_water) use_.high_water = use_.used;
  }
  void Give(uint64_t amount = 1) { use_.used -= amount; }
  void Refuse() { ++use_.refused; }
  bool full() const { return use_.used >= use_.limit; }
  const TableUse& use() const { return use_; }

 private:
  TableUse use_;
};

}  // namespace stem
