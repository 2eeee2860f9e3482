// SPDX-License-Identifier: Apache-2.0
// A static rule as it is written, and what it means: the one definition of a match, against which
// the compiled tables are tested.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bpf/stem_abi.h"
#include "common/address.h"

namespace stem {

// Both ends belong to it. The full range also matches packets without ports.
struct PortRange {
  uint16_t first = 0;
  uint16_t last = 65535;

  bool any() const { return first == 0 && last == 65535; }
  bool Contains(uint16_t port) const { return first <= port && port <= last; }
  bool operator==(const PortRange&) const = default;
};

// The flags in `mask` must be as in `value`.
struct TcpFlags {
  uint8_t mask = 0;
  uint8_t value = 0;

  bool operator==(const TcpFlags&) const = default;
};

// What is not set matches everything. A prefix matches packets of its own address family only.
struct Rule {
  std::string name;
  std::string comment;
  stem_rule_action action = STEM_RULE_END;
  stem_side from = STEM_SIDE_NONE;  // either
  std::optional<uint8_t> protocol;
  std::optional<uint8_t> icmp_type;  // protocol is ICMP or ICMPv6
  TcpFlags tcp_flags;                // protocol is TCP
  std::optional<Prefix> source;
  std::optional<Prefix> destination;
  PortRange source_ports;  // protocol is TCP or UDP, where not any
  PortRange destination_ports;
  std::string place;  // "agent.yaml:7:5", empty for a rule nobody wrote
};

// What the rules look at in a packet.
struct RuleSubject {
  stem_side from = STEM_SIDE_NONE;
  uint8_t version = 4;  // of IP
  IpAddress source;
  IpAddress destination;
  uint8_t protocol = 0;
  bool transport = true;  // the transport header is there; without it, ports, flags, type are not
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint8_t tcp_flags = 0;
  uint8_t icmp_type = 0;
};

bool Matches(const Rule& rule, const RuleSubject& subject);

// Whether every packet that `inner` matches is matched by `outer`; names and actions aside.
bool Covers(const Rule& outer, const Rule& inner);

// Whether there may be a packet that both match.
bool Overlaps(const Rule& a, const Rule& b);

// The rule that decides about everything `flow` describes, when it is a deny: every packet of the
// flow meets a deny before any other decision. Otherwise nullptr.
const Rule* DeniesAll(std::span<const Rule> rules, const Rule& flow);

// 4 or 6 when a prefix says so, else 0.
int FamilyOf(const Rule& rule);

const char* ActionText(stem_rule_action action);

}  // namespace stem
