// SPDX-License-Identifier: Apache-2.0
// Calls as they come and go: the tables they are in, their deadlines, and their end.
#include <algorithm>
#include <utility>

#include "agent/protocol_parser/call_monitor_core.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace stem {
namespace {

// Deadlines handled in one tick; the rest wait for the next, so that signalling is not held up.
constexpr int kMostDeadlinesPerTick = 1000;

}  // namespace

void CallMonitor::Core::Tick() {
  const uint64_t now_ns = ports_.now_ns();
  transactions_.ExpireDue(now_ns);
  answers_.ExpireDue(now_ns);
  pinholes_.RetryClosing();
  for (int i = 0; i < kMostDeadlinesPerTick; ++i) {
    Call* due = deadlines_.PopDue(now_ns);
    if (due == nullptr) break;
    CheckDeadlines(*due, now_ns);
  }
}

void CallMonitor::Core::CheckDeadlines(Call& call, uint64_t now_ns) {
  if (now_ns >= call.started_ns + Nanoseconds(config_.timeouts.max_duration)) {
    return End(call, "longest duration reached", CallEvent::calls_max_duration, now_ns);
  }
  if (call.ring_deadline_ns != 0 && now_ns >= call.ring_deadline_ns) {
    if (!call.HasConfirmedDialog()) {
      return End(call, "nobody answered in time", CallEvent::calls_ring_timeout, now_ns);
    }
    // Another fork's answer is still owed; the call goes on without it.
    GiveUpBranches(call, now_ns);
    call.DropEarlyDialogs(std::nullopt);
    FollowPinholes(call, now_ns);
  }
  const auto unanswered =
      std::find_if(call.dialogs.begin(), call.dialogs.end(), [now_ns](const Dialog& dialog) {
        return dialog.bye_deadline_ns != 0 && now_ns >= dialog.bye_deadline_ns;
      });
  if (unanswered != call.dialogs.end()) {
    // More of them, if any, are found at the next tick.
    const std::string callee_tag = unanswered->callee_tag;
    return EndDialog(call, callee_tag, "no final response to BYE", CallEvent::calls_bye_timeout,
                     now_ns);
  }
  if (call.watch_ns != 0 && now_ns >= call.watch_ns) {
    CheckStreams(call, now_ns);
    if (call.state == CallState::kEnded) return;
  }
  if (call.idle_check_ns != 0 && now_ns >= call.idle_check_ns) return CheckIdle(call, now_ns);
  Reschedule(call);
}

void CallMonitor::Core::CheckIdle(Call& call, uint64_t now_ns) {
  std::vector<PinholeKey> keys;
  for (const auto& [key, grant] : call.open) keys.push_back(key);
  const absl::StatusOr<IdleMedia::Judgement> judgement =
      idle_media_.Judge(ports_.pinholes, keys, call.media_since_ns, now_ns);
  if (!judgement.ok()) {
    spdlog::error("idle media of call {:016x} cannot be seen: {}", call.id,
                  std::string(judgement.status().message()));
    call.idle_check_ns = idle_media_.FirstLook(now_ns);
  } else if (judgement->idle) {
    return End(call, "idle media", CallEvent::calls_idle_media, now_ns);
  } else {
    call.idle_check_ns = judgement->look_again_ns;
  }
  Reschedule(call);
}

// Starts, goes on with or stops idle watching, after the session may have changed.
void CallMonitor::Core::Schedule(Call& call, uint64_t now_ns) {
  const bool known = std::any_of(call.dialogs.begin(), call.dialogs.end(), [](const Dialog& d) {
    return d.confirmed && d.negotiation.agreed();
  });
  if (known) {
    const bool expected = call.MediaExpected();
    if (expected && !call.media_expected) call.media_since_ns = now_ns;
    const bool changed = expected != call.media_expected;
    call.media_expected = expected;
    if (changed && !Save(call).ok()) {
      spdlog::warn("call {:016x} goes on with an old record in the store", call.id);
    }
  }
  if (!idle_media_.enabled() || !call.media_expected) {
    call.idle_check_ns = 0;
  } else if (call.idle_check_ns == 0) {
    call.idle_check_ns = idle_media_.FirstLook(call.media_since_ns);
  }
  if (call.watch_ns == 0) call.watched_since_ns = now_ns;
  call.watch_ns = NextLook(call, now_ns);
  Reschedule(call);
}

void CallMonitor::Core::Reschedule(Call& call) {
  uint64_t soonest = call.started_ns + Nanoseconds(config_.timeouts.max_duration);
  for (const uint64_t at : {call.ring_deadline_ns, call.idle_check_ns, call.watch_ns}) {
    if (at != 0) soonest = std::min(soonest, at);
  }
  for (const Dialog& dialog : call.dialogs) {
    if (dialog.bye_deadline_ns != 0) soonest = std::min(soonest, dialog.bye_deadline_ns);
  }
  deadlines_.Set(call, soonest);
}

Call* CallMonitor::Core::FindCall(const CallKey& key) {
  const auto at = calls_.find(key);
  return at == calls_.end() ? nullptr : at->second.get();
}

Call* CallMonitor::Core::CallById(uint64_t id) {
  const auto at = by_id_.find(id);
  const bool live = at != by_id_.end() && at->second->state != CallState::kEnded;
  return live ? at->second : nullptr;
}

void CallMonitor::Core::Attach(Passage& passage, uint64_t id) {
  const auto at = by_id_.find(id);
  if (at == by_id_.end()) return;
  const bool ended = at->second->state == CallState::kEnded;
  (ended ? passage.ended : passage.call) = at->second;
}

uint64_t CallMonitor::Core::FreeId(const CallKey& key) const {
  uint64_t id = CallIdentity(key);
  while (id == 0 || by_id_.contains(id)) ++id;
  return id;
}

void CallMonitor::Core::Insert(std::unique_ptr<Call> call) {
  by_id_[call->id] = call.get();
  Reschedule(*call);
  const CallKey key = call->key;
  calls_.insert_or_assign(key, std::move(call));
}

absl::Status CallMonitor::Core::Save(const Call& call) {
  absl::Status status = ports_.store.Save(call.id, call.Record());
  if (!status.ok()) {
    Count(CallEvent::store_failed);
    spdlog::error("call {:016x}: {}", call.id, std::string(status.message()));
  }
  return status;
}

// Its pinholes are closed when this returns. What its transactions still have to say passes.
void CallMonitor::Core::End(Call& call, std::string outcome, std::optional<CallEvent> event,
                            uint64_t now_ns) {
  pinholes_.CloseAll(call);
  call.outcome = std::move(outcome);
  call.state = CallState::kEnded;
  call.ended_ns = now_ns;
  if (event) Count(*event);
  GiveUpBranches(call, now_ns);
  if (const absl::Status erased = ports_.store.Erase(call.id); !erased.ok()) {
    Count(CallEvent::store_failed);
    spdlog::error("record of call {:016x} stays: {}", call.id, std::string(erased.message()));
  }
  MoveToHistory(call);
}

// No answer to its INVITEs passes any more. Held ones are let go.
void CallMonitor::Core::GiveUpBranches(Call& call, uint64_t now_ns) {
  for (InviteBranch& branch : call.branches) {
    if (branch.held) Release(branch);
    Transaction* transaction = transactions_.Find(branch.transaction_key);
    if (transaction == nullptr) continue;
    if (transaction->stage == Transaction::Stage::kHeld) {
      transactions_.Erase(*transaction);
      continue;
    }
    if (transaction->stage == Transaction::Stage::kProceeding) {
      transaction->stage = Transaction::Stage::kTimedOut;
    }
    transactions_.ExpireAt(*transaction, now_ns + Nanoseconds(config_.timeouts.transaction));
  }
  call.branches.clear();
  call.ring_deadline_ns = 0;
}

void CallMonitor::Core::EndDialog(Call& call, std::string_view callee_tag,
                                  const std::string& outcome, CallEvent event, uint64_t now_ns) {
  std::erase_if(call.dialogs,
                [tag = std::string(callee_tag)](const Dialog& d) { return d.callee_tag == tag; });
  if (call.dialogs.empty() && !call.HasPendingBranch()) {
    return End(call, outcome, event, now_ns);
  }
  call.state = call.HasConfirmedDialog() ? CallState::kEstablished : CallState::kRinging;
  FollowPinholes(call, now_ns);
}

void CallMonitor::Core::MoveToHistory(Call& call) {
  deadlines_.Set(call, 0);
  calls_meter_.Give();
  const auto at = calls_.find(call.key);
  history_.push_back(std::move(at->second));
  calls_.erase(at);
  ended_[call.key] = &call;
  history_meter_.Add();
  // At least the newest stays: its last message is still on its way out.
  while (history_.size() > history_meter_.use().limit) {
    const auto newest = ended_.find(history_.front()->key);
    if (newest != ended_.end() && newest->second == history_.front().get()) ended_.erase(newest);
    by_id_.erase(history_.front()->id);
    history_.pop_front();
    history_meter_.Give();
  }
}

}  // namespace stem
