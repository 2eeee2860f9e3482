// SPDX-License-Identifier: Apache-2.0
// What the bench reports: one object a measure, as results.json has it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "tests/bench/rounds.h"

namespace stem {

using Json = nlohmann::ordered_json;

// name, mpps and ns of the whole way of a packet, generator included; net_ns without what the
// generator and a drop at once cost; vs_nftables and vs_bare of the whole way,
// vs_nftables_net and vs_bare_net of the net time. Null contestants leave their ratios out.
struct Comparison {
  const Entry* stem = nullptr;
  const Entry* nftables = nullptr;
  const Entry* bare = nullptr;
  const Entry* dropped_at_once = nullptr;
};
Json Describe(const std::string& name, const Comparison& comparison);

double Ratio(double ours, double theirs);  // as results.json has it: three digits

// An entry that is only there to be compared with.
Json Reference(const std::string& name, const Entry& entry);

// The groups of measures, each with labs of its own.
using MeasureGroup = absl::StatusOr<std::vector<Json>> (*)(const BenchOptions&);
absl::StatusOr<std::vector<Json>> MeasureMedia(const BenchOptions& options);
absl::StatusOr<std::vector<Json>> MeasureFloods(const BenchOptions& options);
absl::StatusOr<std::vector<Json>> MeasurePipeline(const BenchOptions& options);
absl::StatusOr<std::vector<Json>> MeasureRules(const BenchOptions& options);
absl::StatusOr<std::vector<Json>> MeasurePolicing(const BenchOptions& options);
absl::StatusOr<std::vector<Json>> MeasureGoodput(const BenchOptions& options);
absl::StatusOr<std::vector<Json>> MeasureVerifier(const BenchOptions& options);

}  // namespace stem
