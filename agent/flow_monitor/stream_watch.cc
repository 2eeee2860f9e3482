// SPDX-License-Identifier: Apache-2.0
#include "agent/flow_monitor/stream_watch.h"

namespace stem {
namespace {

constexpr uint64_t kFewestRefused = 10;

}  // namespace

StreamWatch::Judgement StreamWatch::Judge(const Counts& before, const Counts& now) const {
  const bool new_pinhole = now.passed < before.passed || now.refused < before.refused;
  const Counts since =
      new_pinhole ? now : Counts{now.passed - before.passed, now.refused - before.refused};
  const auto came = static_cast<double>(since.passed + since.refused);
  const bool exceeds =
      since.refused >= kFewestRefused && static_cast<double>(since.refused) > came * tolerated_;
  return {exceeds, since};
}

}  // namespace stem
