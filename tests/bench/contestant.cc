// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/contestant.h"

#include <bpf/libbpf.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "agent/dataplane/errno_status.h"
#include "common/status_macros.h"

namespace stem {
namespace {

// What is sent first, to learn how fast the contestant is.
constexpr uint64_t kTrialFrames = 2048;

uint64_t Sum(const std::vector<uint64_t>& values) {
  return std::accumulate(values.begin(), values.end(), uint64_t{0});
}

std::vector<uint64_t> Sent(const Traffic& traffic) {
  std::vector<uint64_t> sent(TRAFFIC_STREAMS);
  for (size_t i = 0; i < traffic.streams.size(); ++i) sent[i] = traffic.streams[i].sent;
  return sent;
}

}  // namespace

uint64_t Passage::sent_total() const { return Sum(sent); }
uint64_t Passage::arrived_total() const { return Sum(arrived); }

void BareDestroyer::operator()(bare* skeleton) const { bare__destroy(skeleton); }

absl::StatusOr<Contestant> Contestant::Nobody() {
  ASSIGN_OR_RETURN(BenchLab lab, BenchLab::Make());
  ASSIGN_OR_RETURN(TrafficGenerator generator, TrafficGenerator::Load());
  ASSIGN_OR_RETURN(TrafficSink sink, TrafficSink::Attach());
  return Contestant(std::move(lab), std::move(generator), std::move(sink));
}

absl::StatusOr<std::unique_ptr<Contestant>> Contestant::Nftables(const std::string& ruleset) {
  ASSIGN_OR_RETURN(Contestant contestant, Nobody());
  RETURN_IF_ERROR(contestant.lab_.Nft(ruleset));
  return std::unique_ptr<Contestant>(new Contestant(std::move(contestant)));
}

absl::StatusOr<std::unique_ptr<Contestant>> Contestant::Bare(std::string_view program) {
  ASSIGN_OR_RETURN(Contestant contestant, Nobody());
  contestant.bare_.reset(bare__open_and_load());
  if (contestant.bare_ == nullptr) return ErrnoStatus(errno, "loading the bare programs");
  bare& programs = *contestant.bare_;
  bpf_program* chosen =
      program == "bare_relay" ? programs.progs.bare_relay : programs.progs.bare_drop;
  contestant.bare_program_ = bpf_program__fd(chosen);
  programs.links.bare_relay =
      bpf_program__attach_xdp(chosen, static_cast<int>(if_nametoindex("outside0")));
  if (programs.links.bare_relay == nullptr) return ErrnoStatus(errno, "attaching a bare program");
  return std::unique_ptr<Contestant>(new Contestant(std::move(contestant)));
}

absl::StatusOr<std::unique_ptr<Contestant>> Contestant::BareRelay() { return Bare("bare_relay"); }
absl::StatusOr<std::unique_ptr<Contestant>> Contestant::BareDrop() { return Bare("bare_drop"); }

absl::StatusOr<Passage> Contestant::SendFrames(Traffic& traffic, uint64_t runs, bool deliver) {
  RETURN_IF_ERROR(lab_.Enter());
  Passage passage;
  const int cpu = sched_getcpu();
  ASSIGN_OR_RETURN(const auto before, sink_.Arrived());
  ASSIGN_OR_RETURN(const auto here_before, sink_.Arrived(cpu));
  ASSIGN_OR_RETURN(const uint64_t received, lab_.Received());
  const std::vector<uint64_t> sent_before = Sent(traffic);

  ASSIGN_OR_RETURN(passage.seconds, generator_.Run(traffic, runs, deliver));

  passage.sent = Sent(traffic);
  ASSIGN_OR_RETURN(passage.received, lab_.Received());
  passage.received -= received;
  ASSIGN_OR_RETURN(passage.arrived, sink_.Arrived());
  ASSIGN_OR_RETURN(const auto here, sink_.Arrived(cpu));
  for (size_t i = 0; i < passage.arrived.size(); ++i) {
    passage.sent[i] -= sent_before[i];
    passage.arrived[i] -= before[i];
    passage.arrived_elsewhere += passage.arrived[i] - (here[i] - here_before[i]);
  }
  return passage;
}

absl::StatusOr<Passage> Contestant::Send(Traffic& traffic, double seconds, bool deliver) {
  ASSIGN_OR_RETURN(const Passage trial, SendFrames(traffic, kTrialFrames, deliver));
  const double runs = kTrialFrames * seconds / trial.seconds;
  return SendFrames(traffic, std::max(kTrialFrames, static_cast<uint64_t>(runs)), deliver);
}

}  // namespace stem
