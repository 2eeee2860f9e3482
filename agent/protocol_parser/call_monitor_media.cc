// SPDX-License-Identifier: Apache-2.0
// Looking at the streams of calls: what the kernel refused of them, what is done about it, and who
// has taken a latch.
#include <algorithm>
#include <utility>

#include "agent/protocol_parser/call_monitor_core.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace stem {
namespace {

// How soon a latch that was taken is found, until when its party hears nothing: soon while a call
// is young, then as often as streams are looked at anyway.
constexpr uint64_t kSoonNs = 500'000'000;
constexpr uint64_t kYoungNs = 30'000'000'000;
constexpr uint64_t kLaterNs = 10'000'000'000;

}  // namespace

// When the streams are to be looked at next; 0: never.
uint64_t CallMonitor::Core::NextLook(const Call& call, uint64_t now_ns) const {
  if (call.open.empty()) return 0;
  const uint64_t period = Nanoseconds(config_.media.period);
  const bool latching = std::any_of(call.open.begin(), call.open.end(), [&](const auto& open) {
    return open.second.match == STEM_PEER_LATCH && open.second.media != STEM_MEDIA_RTCP &&
           open.first.from == STEM_SIDE_OUTSIDE && !call.latched.contains(open.first);
  });
  const bool young = now_ns < std::max(call.started_ns, call.answered_ns) + kYoungNs;
  if (latching && young) return now_ns + (period == 0 ? kSoonNs : std::min(period, kSoonNs));
  if (period == 0) return latching ? now_ns + kLaterNs : 0;
  return std::max(call.watched_since_ns + period, now_ns + 1);
}

void CallMonitor::Core::CheckStreams(Call& call, uint64_t now_ns) {
  const uint64_t period = Nanoseconds(config_.media.period);
  const bool due = period != 0 && now_ns >= call.watched_since_ns + period;
  std::map<PinholeKey, StreamWatch::Counts> counts;
  std::vector<ExceedingStream> exceeding;
  bool latched = false;
  for (const auto& [key, grant] : call.open) {
    const absl::StatusOr<std::optional<Pinhole>> found = ports_.pinholes.Find(key);
    if (!found.ok()) {
      spdlog::error("streams of call {:016x} cannot be seen: {}", call.id,
                    std::string(found.status().message()));
      break;
    }
    if (!found->has_value()) continue;
    const PinholeUse& use = (*found)->use;
    counts[key] = StreamWatch::CountsOf(use);
    const auto before = call.watched.find(key);
    // What happened before this agent took the call over was told of by the one before.
    const bool judged = due && (before != call.watched.end() || call.adopted_ns == 0);
    const StreamWatch::Judgement judgement = stream_watch_.Judge(
        before == call.watched.end() ? StreamWatch::Counts() : before->second, counts[key]);
    if (judged && judgement.exceeds) {
      exceeding.push_back({key, use.latched.value_or(grant.peer), judgement.since});
    }
    if (use.latched && key.from == STEM_SIDE_OUTSIDE) {
      Endpoint& known = call.latched[key];
      latched = latched || known != *use.latched;
      known = *use.latched;
    }
  }
  if (due) {
    call.watched = std::move(counts);
    call.watched_since_ns = now_ns;
  }
  if (!exceeding.empty() && React(call, exceeding, now_ns)) return;
  if (latched || !exceeding.empty()) FollowPinholes(call, now_ns);
  call.watch_ns = NextLook(call, now_ns);
}

// True when the call has ended.
bool CallMonitor::Core::React(Call& call, const std::vector<ExceedingStream>& streams,
                              uint64_t now_ns) {
  const MediaReaction reaction = config_.media.reaction;
  for (const ExceedingStream& stream : streams) {
    Count(CallEvent::streams_policed);
    std::string why = fmt::format("{} of {} packets refused", stream.since.refused,
                                  stream.since.passed + stream.since.refused);
    if (reaction == MediaReaction::kClose) why += ": call ended";
    if (reaction == MediaReaction::kLower && call.lowered.insert(stream.key).second) {
      Count(CallEvent::streams_lowered);
      why += fmt::format(": rate lowered to {:.0f} %", config_.media.lowered_to * 100);
    }
    TellOfStream(call, stream, std::move(why), now_ns);
  }
  if (reaction != MediaReaction::kClose) return false;
  End(call, "media above its limits", CallEvent::calls_media_exceeded, now_ns);
  return true;
}

void CallMonitor::Core::TellOfStream(Call& call, const ExceedingStream& stream, std::string why,
                                     uint64_t now_ns) {
  const auto reason = static_cast<size_t>(SipReason::media_policed);
  ++counters_.messages[reason][stream.key.from].messages;
  SipVerdict verdict;
  verdict.time_ns = now_ns;
  verdict.from = stream.key.from;
  verdict.source = stream.peer;
  verdict.destination = stream.key.destination;
  verdict.message = "media";
  verdict.reason = SipReason::media_policed;
  verdict.why = std::move(why);
  verdict.call = call.id;
  call.ladder.Add(verdict);
  if (ports_.observer != nullptr) ports_.observer->Observe(verdict);
}

}  // namespace stem
