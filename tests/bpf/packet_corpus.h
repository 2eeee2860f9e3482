// SPDX-License-Identifier: Apache-2.0
// One packet of every kind the data plane tells apart, in an order in which what one leaves behind
// meets the next: for tests that hold two ways of judging packets against each other, and as the
// fuzzers' seeds.
#pragma once

#include <string>
#include <vector>

#include "bpf/stem_abi.h"
#include "tests/bpf/packet_builder.h"

namespace stem {

struct CorpusPacket {
  std::string name;
  Bytes frame;
  stem_side side = STEM_SIDE_OUTSIDE;
};

// Between the hosts of the bench (kernel_bench.h). Media goes to ports 30000 to 30012 of
// 198.51.100.20 and 2001:db8:2::20, as CorpusPinholes() has them; 192.0.2.66 is to be blocked.
std::vector<CorpusPacket> PacketCorpus();

// A pinhole of the corpus; opened on the outside for both families.
struct CorpusPinhole {
  uint16_t port = 0;
  stem_peer_match match = STEM_PEER_NONE;
  stem_media media = STEM_MEDIA_NONE;
  uint16_t extras = 0;
  uint16_t max_length = 0;
  uint64_t payload_types = 0;     // the first 64
  uint64_t bytes_per_second = 0;  // 0: not policed
  uint64_t burst = 0;             // bytes
};
std::vector<CorpusPinhole> CorpusPinholes();

}  // namespace stem
