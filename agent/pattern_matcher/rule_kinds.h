// SPDX-License-Identifier: Apache-2.0
// The kinds of configuration values only rules have (see common/config/kinds.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/pattern_matcher/rule.h"
#include "common/config/document.h"

namespace stem {

// "22" or "1024-65535".
struct PortRangeText {
  std::string Right() const { return "a port or a range of ports, for example 22 or 1024-65535"; }
  void Read(const ConfigValue& value, PortRange& target) const;
};

// A name or a number of the protocol field; "any" is none.
struct ProtocolText {
  std::string Right() const;
  void Read(const ConfigValue& value, std::optional<uint8_t>& target) const;
};

// "syn,!ack": what must be set and what must not.
struct TcpFlagsText {
  std::string Right() const;
  void Read(const ConfigValue& value, TcpFlags& target) const;
};

// The name of a protocol as it is written in the configuration, or its number.
std::string ProtocolName(uint8_t protocol);
// "syn,!ack", or empty.
std::string FlagsText(const TcpFlags& flags);
// "22", "1024-65535", or empty for any.
std::string PortsText(const PortRange& range);

}  // namespace stem
