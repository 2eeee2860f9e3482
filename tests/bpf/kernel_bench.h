// SPDX-License-Identifier: Apache-2.0
// A bench for the kernel programs: a network namespace of its own with both interfaces, the data
// plane loaded as the agent loads it, and packets run through the program that is attached.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/dataplane/counter_reader.h"
#include "agent/dataplane/data_plane.h"
#include "agent/dataplane/kernel_pinhole_table.h"
#include "agent/dataplane/packet_socket.h"
#include "tests/bpf/packet_builder.h"

namespace stem {

// What became of one packet.
struct Outcome {
  uint32_t verdict = 0;             // XDP_DROP, XDP_PASS, XDP_REDIRECT
  std::string reason;               // name of the one counter that moved
  stem_side side = STEM_SIDE_NONE;  // ... and on which side
  Bytes out;                        // the packet afterwards
};

// Outside: outside0 192.0.2.1/24, 2001:db8:1::1/64, neighbours .10 and ::10.
// Inside: inside0 198.51.100.1/24, 2001:db8:2::1/64, neighbours .20 and ::20.
class KernelBench : public ::testing::Test {
 protected:
  // The name of the data plane: of this process, for bpffs is one for all.
  static std::string Instance();

  static void SetUpTestSuite();
  void SetUp() override;
  void TearDown() override;

  // The configuration of a test that loads no other before it first asks for the data plane. Load()
  // puts one into the kernel, first or later: loading is what costs a test its time.
  DataPlaneConfig DefaultConfig() const;
  void Load(const DataPlaneConfig& config);

  // Runs the frame as if it had arrived on `side`. Exactly one counter must move.
  Outcome Run(const Bytes& frame, stem_side side = STEM_SIDE_OUTSIDE, uint32_t queue = 0);
  // The verdict only, without looking at the counters: for several threads at once, when something
  // is loaded.
  uint32_t RunUncounted(const Bytes& frame, stem_side side = STEM_SIDE_OUTSIDE);
  Outcome Run(const Packet& packet, stem_side side = STEM_SIDE_OUTSIDE) {
    return Run(packet.Build(), side);
  }

  KernelPinholeTable& pinholes() { return plane().pinholes(); }
  DataPlane& plane();  // throws when it cannot be loaded, which fails the test

  // What TEST_RUN takes on the outside: the root, or libxdp's dispatcher that calls it. (The root
  // itself is an extension program there, for which there is no TEST_RUN.)
  static UniqueFd OutsideProgram();

  // An agent's socket on queue 0 of the outside, until the end of the test.
  void Listen();

  // Packets that modules in observe would have dropped for this reason, since the last Load().
  uint64_t Observed(std::string_view reason, stem_side side = STEM_SIDE_OUTSIDE);
  // As Run(), `times` times; how often the reason was this one.
  int CountRuns(int times, const Packet& packet, std::string_view reason,
                stem_side side = STEM_SIDE_OUTSIDE);

  // Opens a pinhole to `to` on the outside for exactly `peer`.
  void OpenPinhole(const std::string& to, const std::string& peer,
                   stem_peer_match match = STEM_PEER_ENDPOINT, stem_side from = STEM_SIDE_OUTSIDE);

 private:
  static uint32_t TestRun(const Bytes& frame, stem_side side, uint32_t queue, Bytes& out);

  std::optional<DataPlane> plane_;
  std::unique_ptr<PacketSocket> socket_;
};

Endpoint At(std::string_view text);  // parses, or fails the test

}  // namespace stem
