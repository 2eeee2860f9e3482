// SPDX-License-Identifier: Apache-2.0
// What the static rules say to the call monitor.
#pragma once

#include <string>

#include "agent/dataplane/pinhole_table.h"
#include "agent/protocol_parser/datagram.h"

namespace stem {

class MediaRules {
 public:
  virtual ~MediaRules() = default;

  // Name of the rule that denies every packet the pinhole would let pass; empty for none. Where
  // the peer is not yet known, only what is denied for all peers is.
  virtual std::string Denies(const PinholeKey& key, const PinholeGrant& grant) const = 0;

  // Whether a rule sends this datagram to be inspected as SIP, whatever its ports.
  virtual bool Inspects(const Datagram& datagram) const = 0;
};

}  // namespace stem
