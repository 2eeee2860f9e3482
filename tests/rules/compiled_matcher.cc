// SPDX-License-Identifier: Apache-2.0
#include "tests/rules/compiled_matcher.h"

#include <algorithm>

namespace stem {

CompiledMatcher::CompiledMatcher(const CompiledRules& rules) : rules_(rules) {
  machine_.Use(rules_);
}

user_space_match CompiledMatcher::Match(const RuleSubject& subject) {
  user_space_packet packet{};
  std::copy(subject.source.bytes.begin(), subject.source.bytes.end(), packet.source);
  std::copy(subject.destination.bytes.begin(), subject.destination.bytes.end(), packet.destination);
  packet.source_port = subject.source_port;
  packet.destination_port = subject.destination_port;
  packet.ip_length = 100;
  packet.protocol = subject.protocol;
  packet.version = subject.version;
  packet.transport = subject.transport;
  packet.tcp_flags = subject.tcp_flags;
  packet.icmp_type = subject.icmp_type;
  packet.side = subject.from;
  return machine_.Match(packet);
}

uint64_t CompiledMatcher::packets(size_t rule) {
  const auto slot = static_cast<uint32_t>(rule);
  return static_cast<const stem_count*>(machine_.map("rule_counters").Lookup(&slot))->packets;
}

}  // namespace stem
