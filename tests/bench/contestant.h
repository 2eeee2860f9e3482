// SPDX-License-Identifier: Apache-2.0
// What is measured: STEM's peers, or the least there can be, each in a lab of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bare.skel.h"
#include "tests/bench/bench_lab.h"
#include "tests/bench/traffic.h"

namespace stem {

// What became of one run's frames.
struct Passage {
  double seconds = 0;
  std::vector<uint64_t> sent;      // of each stream
  std::vector<uint64_t> arrived;   // of each stream, at the sink
  uint64_t received = 0;           // by outside0
  uint64_t arrived_elsewhere = 0;  // at the sink, but on another CPU than the generator's

  uint64_t sent_total() const;
  uint64_t arrived_total() const;
};

struct BareDestroyer {
  void operator()(bare* skeleton) const;
};

// A lab with generator and sink, and at most one firewall in between.
class Contestant {
 public:
  // The kernel's forwarding, with an nft ruleset.
  static absl::StatusOr<std::unique_ptr<Contestant>> Nftables(const std::string& ruleset);
  // An XDP program that only routes and redirects, or only drops.
  static absl::StatusOr<std::unique_ptr<Contestant>> BareRelay();
  static absl::StatusOr<std::unique_ptr<Contestant>> BareDrop();

  Contestant(Contestant&&) = default;
  virtual ~Contestant() = default;

  // Sends for about `seconds`; all of it on the calling thread's CPU.
  absl::StatusOr<Passage> Send(Traffic& traffic, double seconds, bool deliver = true);
  // Runs the generator exactly so many times.
  absl::StatusOr<Passage> SendFrames(Traffic& traffic, uint64_t runs, bool deliver = true);

  // File descriptor of the bare program; 0 when there is none.
  int bare_program() const { return bare_program_; }
  const BenchLab& lab() const { return lab_; }
  const TrafficSink& sink() const { return sink_; }

 protected:
  static absl::StatusOr<Contestant> Nobody();

 private:
  using BarePointer = std::unique_ptr<bare, BareDestroyer>;
  Contestant(BenchLab lab, TrafficGenerator generator, TrafficSink sink)
      : lab_(std::move(lab)), generator_(std::move(generator)), sink_(std::move(sink)) {}
  static absl::StatusOr<std::unique_ptr<Contestant>> Bare(std::string_view program);

  BenchLab lab_;
  TrafficGenerator generator_;
  TrafficSink sink_;
  BarePointer bare_;
  int bare_program_ = 0;
};

}  // namespace stem
