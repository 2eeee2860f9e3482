// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/measure.h"

#include <cmath>

namespace stem {
namespace {

// As many digits as a measurement has.
double Rounded(double value, int digits) {
  const double scale = std::pow(10, digits);
  return std::round(value * scale) / scale;
}

}  // namespace

Json Describe(const std::string& name, const Comparison& comparison) {
  const double ns = comparison.stem->median_ns();
  Json json = Reference(name, *comparison.stem);
  if (comparison.dropped_at_once != nullptr) {
    json["net_ns"] = Rounded(ns - comparison.dropped_at_once->median_ns(), 1);
  }
  if (comparison.nftables != nullptr) {
    json["vs_nftables"] = Rounded(comparison.nftables->median_ns() / ns, 3);
  }
  if (comparison.bare != nullptr) {
    json["vs_bare"] = Rounded(ns / comparison.bare->median_ns(), 3);
    if (comparison.dropped_at_once != nullptr && comparison.bare != comparison.dropped_at_once) {
      const double least = comparison.dropped_at_once->median_ns();
      json["vs_bare_net"] = Rounded((ns - least) / (comparison.bare->median_ns() - least), 3);
    }
  }
  return json;
}

Json Reference(const std::string& name, const Entry& entry) {
  Json json;
  json["name"] = name;
  json["mpps"] = Rounded(entry.mpps(), 3);
  json["ns"] = Rounded(entry.median_ns(), 1);
  if (entry.lost > 0) json["lost"] = Rounded(entry.lost, 6);
  return json;
}

}  // namespace stem
