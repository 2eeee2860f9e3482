// SPDX-License-Identifier: Apache-2.0
#include "tests/rules/compiled_matcher.h"

#include <algorithm>

namespace stem {

CompiledMatcher::CompiledMatcher(const CompiledRules& rules)
    : counters_(std::max<size_t>(rules.rules.size(), 1)) {
  tables_.count = static_cast<uint32_t>(rules.rules.size());
  tables_.words = rules.words;
  tables_.aggregates = rules.aggregates;
  tables_.observers = rules.observers;
  std::copy(rules.used.begin(), rules.used.end(), tables_.dimension_used);
  for (size_t i = 0; i < 2; ++i) {
    const auto& nodes = rules.addresses[i].nodes;
    tables_.node_base[i] = tables_.node_count;
    tables_.node_count += static_cast<uint32_t>(nodes.size());
    nodes_.insert(nodes_.end(), nodes.begin(), nodes.end());
    tables_.roots[i] = rules.addresses[i].roots.get();
    tables_.ports[i] = rules.ports[i].get();
  }
  for (uint32_t i = 0; i < rules.rules.size(); ++i) {
    entries_->of[rules.rules[i].bit] = {i, rules.rules[i].action, i};
  }
  tables_.chunks = rules.chunks.all().data();
  tables_.chunk_count = static_cast<uint32_t>(rules.chunks.all().size());
  tables_.nodes = nodes_.data();
  tables_.services = rules.services.get();
  tables_.entries = entries_.get();
  tables_.counters = counters_.data();
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
  return match_in_user_space(&tables_, &packet);
}

}  // namespace stem
