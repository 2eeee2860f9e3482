// SPDX-License-Identifier: Apache-2.0
// In-memory stand-ins for what the call monitor works with. All of them write to one log, so that
// a test sees the order of things: "open ... " before "forward 200 (INVITE)".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/dataplane/call_store.h"
#include "agent/dataplane/pinhole_table.h"
#include "agent/external_interface/decision_point.h"
#include "agent/protocol_parser/datagram.h"
#include "agent/protocol_parser/ladder.h"
#include "agent/protocol_parser/message_head.h"
#include "fmt/format.h"

namespace stem::test {

using Log = std::vector<std::string>;

// "INVITE", "200 (INVITE)".
inline std::string Brief(std::string_view payload) {
  const MessageHead head = MessageHead::Read(payload);
  if (head.kind == MessageHead::Kind::kRequest) return std::string(head.method);
  const HeaderField* cseq = head.Find(HeaderName::kCSeq);
  const std::string_view value = cseq == nullptr ? " ?" : cseq->value;
  return fmt::format("{} ({})", head.status, value.substr(value.find(' ') + 1));
}

class FakeSink : public DatagramSink {
 public:
  explicit FakeSink(Log& log) : log_(log) {}
  void Forward(const Datagram& datagram) override {
    log_.push_back("forward " + Brief(datagram.payload));
    forwarded.push_back(datagram);
  }
  void Answer(const Datagram& request, std::string_view payload) override {
    log_.push_back("answer " + Brief(payload));
    answers.emplace_back(payload);
    answered_to.push_back(request.source);
  }

  std::vector<Datagram> forwarded;
  std::vector<std::string> answers;
  std::vector<Endpoint> answered_to;

 private:
  Log& log_;
};

// "open 203.0.113.10:4000 from inside, any, rtp"
inline std::string Describe(const PinholeKey& key, const PinholeGrant& grant) {
  std::string peer = "any";
  if (grant.match == STEM_PEER_ADDRESS) peer = grant.peer.address.ToString();
  if (grant.match == STEM_PEER_ENDPOINT) peer = grant.peer.ToString();
  if (grant.match == STEM_PEER_LATCH) peer = "first of " + grant.peer.address.ToString();
  const char* media = grant.media == STEM_MEDIA_RTP    ? "rtp"
                      : grant.media == STEM_MEDIA_RTCP ? "rtcp"
                      : grant.media == STEM_MEDIA_UDP  ? "udp"
                                                       : "rtp+rtcp";
  return fmt::format("{} from {}, {}, {}", key.destination.ToString(),
                     key.from == STEM_SIDE_INSIDE ? "inside" : "outside", peer, media);
}

class FakePinholes : public PinholeTable {
 public:
  explicit FakePinholes(Log& log) : log_(log) {}

  absl::Status Open(const PinholeKey& key, const PinholeGrant& grant, uint64_t now_ns) override {
    const auto at = open.find(key);
    if (at == open.end() && open.size() >= capacity) {
      return absl::ResourceExhaustedError("the pinhole table is full");
    }
    log_.push_back((at == open.end() ? "open " : "change ") + Describe(key, grant));
    if (at == open.end()) {
      open[key] = Pinhole{key, grant, {.opened_ns = now_ns}};
    } else {
      at->second.grant = grant;
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<PinholeUse>> Close(const PinholeKey& key) override {
    if (close_fails) return absl::InternalError("the map cannot be written");
    const auto at = open.find(key);
    if (at == open.end()) return std::optional<PinholeUse>();
    log_.push_back("close " + key.destination.ToString());
    const PinholeUse use = at->second.use;
    open.erase(at);
    return std::optional(use);
  }
  absl::StatusOr<std::optional<Pinhole>> Find(const PinholeKey& key) const override {
    ++lookups;
    const auto at = open.find(key);
    if (at == open.end()) return std::optional<Pinhole>();
    return std::optional(at->second);
  }
  absl::StatusOr<std::vector<Pinhole>> List() const override {
    std::vector<Pinhole> all;
    for (const auto& [key, pinhole] : open) all.push_back(pinhole);
    return all;
  }

  // "203.0.113.10:4000 from inside, any, rtp", sorted.
  std::vector<std::string> Described() const {
    std::vector<std::string> lines;
    for (const auto& [key, pinhole] : open) lines.push_back(Describe(key, pinhole.grant));
    return lines;
  }
  // A packet passes through every pinhole to `destination`; false when there is none.
  bool Pass(const Endpoint& destination, uint64_t now_ns) {
    bool passed = false;
    for (auto& [key, pinhole] : open) {
      if (key.destination != destination) continue;
      pinhole.use.last_seen_ns = now_ns;
      ++pinhole.use.packets;
      passed = true;
    }
    return passed;
  }

  std::map<PinholeKey, Pinhole> open;
  size_t capacity = 1000;
  bool close_fails = false;
  mutable int lookups = 0;

 private:
  Log& log_;
};

class FakeCallStore : public CallStore {
 public:
  absl::Status Save(uint64_t id, const stem_call& record) override {
    if (!records.contains(id) && records.size() >= capacity) {
      return absl::ResourceExhaustedError("the call table is full");
    }
    records[id] = record;
    return absl::OkStatus();
  }
  absl::Status Erase(uint64_t id) override {
    records.erase(id);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<std::pair<uint64_t, stem_call>>> LoadAll() const override {
    return std::vector<std::pair<uint64_t, stem_call>>(records.begin(), records.end());
  }

  std::map<uint64_t, stem_call> records;
  size_t capacity = 1000;
};

class ScriptedDecisions : public DecisionPoint {
 public:
  void Decide(const CallQuestion& question, Callback done) override {
    questions.push_back(question);
    waiting.push_back(std::move(done));
  }
  // Decides the question that has waited longest.
  void Give(const CallDecision& decision) {
    Callback done = std::move(waiting.front());
    waiting.pop_front();
    done(decision);
  }
  void Accept() {
    Give({.kind = CallDecision::Kind::kAccept, .reason = "", .contact = "", .why = "bob accepts"});
  }

  std::vector<CallQuestion> questions;
  std::deque<Callback> waiting;
};

class VerdictList : public VerdictObserver {
 public:
  void Observe(const SipVerdict& verdict) override { verdicts.push_back(verdict); }
  std::vector<SipVerdict> verdicts;
};

}  // namespace stem::test
