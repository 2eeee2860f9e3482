// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/measure.h"

#include <algorithm>
#include <cmath>

namespace stem {
namespace {

// As many digits as a measurement has.
double Rounded(double value, int digits) {
  const double scale = std::pow(10, digits);
  return std::round(value * scale) / scale;
}

}  // namespace

double Ratio(double ours, double theirs) { return Rounded(ours / theirs, 3); }

Json Describe(const std::string& name, const Comparison& comparison) {
  const double ns = comparison.stem->median_ns();
  const double least =
      comparison.dropped_at_once == nullptr ? 0 : comparison.dropped_at_once->median_ns();
  Json json = Reference(name, *comparison.stem);
  if (least > 0) json["net_ns"] = Rounded(ns - least, 1);
  if (const Entry* nftables = comparison.nftables; nftables != nullptr) {
    json["vs_nftables"] = Ratio(nftables->median_ns(), ns);
    if (least > 0) json["vs_nftables_net"] = Ratio(nftables->median_ns() - least, ns - least);
  }
  if (const Entry* bare = comparison.bare; bare != nullptr) {
    json["vs_bare"] = Ratio(ns, bare->median_ns());
    if (least > 0 && bare != comparison.dropped_at_once) {
      json["vs_bare_net"] = Ratio(ns - least, bare->median_ns() - least);
    }
  }
  return json;
}

Json Reference(const std::string& name, const Entry& entry) {
  Json json;
  json["name"] = name;
  json["mpps"] = Rounded(entry.mpps(), 3);
  json["ns"] = Rounded(entry.median_ns(), 1);
  const auto [fastest, slowest] = std::ranges::minmax(entry.ns);
  json["ns_range"] = {Rounded(fastest, 1), Rounded(slowest, 1)};
  if (entry.lost > 0) json["lost"] = Rounded(entry.lost, 6);
  return json;
}

}  // namespace stem
