// SPDX-License-Identifier: Apache-2.0
// Fuzzes how the agent reads a frame, against how the kernel's pipeline reads it: what the one
// hands over the other understands, as a message of the same sender; otherwise guards and blocks
// would look at one address and the agent at another. The input is an Ethernet frame.
//
// And back: a datagram that is written anew is read as before, and a packet that is cut into
// fragments is put together again.
#include <linux/bpf.h>

#include <algorithm>
#include <string>

#include "agent/dataplane/fragment_reassembly.h"
#include "agent/dataplane/ip_packet.h"
#include "tests/fuzz/must_hold.h"
#include "tests/user_space/machine.h"

namespace stem {
namespace {

constexpr uint16_t kSipPort = 5060;
constexpr uint32_t kOutside = 3;

std::span<const uint8_t> BytesOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// A firewall that hands all SIP to its agent, and knows from whom it was.
void Prepare(Machine& machine) {
  machine.constants().outside_ifindex = kOutside;
  machine.constants().module_mode[STEM_MODULE_invite_guard] = STEM_MODULE_ON;
  const uint32_t socket = STEM_SIDE_OUTSIDE * STEM_MAX_QUEUES, descriptor = 1;
  machine.map("xsks").Update(&socket, &descriptor, BPF_ANY);
}

// As the agent takes it from its socket: fragments first become packets.
std::optional<absl::StatusOr<Datagram>> Read(std::span<const uint8_t> frame) {
  const std::span<const uint8_t> packet = IpPacketIn(frame);
  if (!ReadFragment(packet)) return DecodeFrame(frame);
  FragmentReassembly reassembly{ReassemblyLimits{}};
  const auto whole = reassembly.Take(packet, STEM_SIDE_OUTSIDE, 1);
  if (!whole) return std::nullopt;  // it waits for the others
  return DecodePacket(BytesOf(whole->packet));
}

void JudgeAsThePipelineDoes(std::span<const uint8_t> frame) {
  Machine machine;
  Prepare(machine);
  const Fate fate = machine.Run(frame, {kOutside, 0});
  MUST_HOLD(fate.counted.size() == 1);
  if (fate.counted.front().reason != STEM_REASON_sip_to_agent) return;
  const auto read = Read(frame);
  if (!read) return;
  if (!read->ok()) {
    // Checksums are the agent's to judge: the kernel does not look at them.
    MUST_HOLD(read->status().code() == absl::StatusCode::kDataLoss);
    return;
  }
  const Datagram& datagram = **read;
  MUST_HOLD(datagram.source.port == kSipPort || datagram.destination.port == kSipPort);
  MUST_HOLD(machine.map("sip_sources").Lookup(datagram.source.address.bytes.data()) != nullptr);
}

void JudgeWritingAnew(const Datagram& datagram) {
  const auto packet = EncodeUdp(datagram.source, datagram.destination, datagram.payload);
  if (!packet.ok()) {
    MUST_HOLD(datagram.payload.size() > 65000);
    return;
  }
  const auto again = DecodePacket(BytesOf(*packet));
  MUST_HOLD(again.ok());
  MUST_HOLD(again->source == datagram.source && again->destination == datagram.destination);
  MUST_HOLD(again->payload == datagram.payload);
  MUST_HOLD(again->ip_packet == *packet);
}

void JudgeCutting(const std::string& packet, size_t size) {
  const std::vector<std::string> pieces = SplitIpv6(packet, size, 7);
  if (pieces.size() == 1) {
    MUST_HOLD(pieces.front() == packet);
    return;
  }
  if (pieces.size() > 128) return;  // more than the reassembly takes of one datagram
  FragmentReassembly reassembly{ReassemblyLimits{}};
  for (size_t i = 0; i < pieces.size(); ++i) {
    MUST_HOLD(pieces[i].size() <= size);
    const auto whole = reassembly.Take(BytesOf(pieces[i]), STEM_SIDE_INSIDE, 1);
    MUST_HOLD(whole.has_value() == (i + 1 == pieces.size()));
    if (whole) MUST_HOLD(whole->packet == packet);
  }
}

}  // namespace
}  // namespace stem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> frame(data, size);
  stem::JudgeAsThePipelineDoes(frame);
  const auto datagram = stem::DecodeFrame(frame);
  if (datagram.ok()) {
    MUST_HOLD(datagram->payload.size() <= size);
    stem::JudgeWritingAnew(*datagram);
    if (!datagram->source.address.is_v4()) {
      const size_t length = datagram->ip_packet.size();
      for (const size_t most : {length / 2, length - 1, size_t{80}}) {
        stem::JudgeCutting(datagram->ip_packet, most);
      }
    }
  }
  (void)stem::DecodePacket(frame);
  return 0;
}
