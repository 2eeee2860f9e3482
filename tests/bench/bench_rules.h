// SPDX-License-Identifier: Apache-2.0
// The same static rules for STEM and for nftables. Rule n denies TCP from one /24 to another, to
// eight ports: of TRAFFIC_RULED, flows kFlowsOfRule * n and the following, and no other.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "agent/dataplane/data_plane_config.h"

namespace stem {

inline constexpr uint32_t kFlowsOfRule = 256;

// The first `count` of them.
absl::Status PutBenchRules(uint32_t count, DataPlaneConfig& config);
// ... as a ruleset with one nft rule for each, and with one set of all.
std::string BenchRulesForNft(uint32_t count);
std::string BenchRulesAsNftSet(uint32_t count);

}  // namespace stem
