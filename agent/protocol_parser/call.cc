// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/call.h"

#include <algorithm>

#include "agent/protocol_parser/negotiation.h"

namespace stem {

std::string_view CallStateText(CallState state) {
  switch (state) {
    case CallState::kDeciding:
      return "deciding";
    case CallState::kRinging:
      return "ringing";
    case CallState::kEstablished:
      return "established";
    case CallState::kEnding:
      return "ending";
    case CallState::kEnded:
      return "ended";
  }
  return "unknown";
}

Dialog* Call::FindDialog(std::string_view callee_tag) {
  const auto at = std::find_if(dialogs.begin(), dialogs.end(), [callee_tag](const Dialog& dialog) {
    return dialog.callee_tag == callee_tag;
  });
  return at == dialogs.end() ? nullptr : &*at;
}

InviteBranch* Call::FindBranch(uint64_t transaction) {
  const auto at = std::find_if(
      branches.begin(), branches.end(),
      [transaction](const InviteBranch& branch) { return branch.transaction == transaction; });
  return at == branches.end() ? nullptr : &*at;
}

bool Call::HasConfirmedDialog() const {
  return std::any_of(dialogs.begin(), dialogs.end(), [](const Dialog& d) { return d.confirmed; });
}

bool Call::HasPendingBranch() const {
  return std::any_of(branches.begin(), branches.end(),
                     [](const InviteBranch& b) { return b.stage != InviteBranch::Stage::kDone; });
}

size_t Call::EarlyDialogsOf(uint64_t branch) const {
  return static_cast<size_t>(
      std::count_if(dialogs.begin(), dialogs.end(),
                    [branch](const Dialog& d) { return !d.confirmed && d.branch == branch; }));
}

void Call::DropEarlyDialogs(std::optional<uint64_t> branch) {
  std::erase_if(dialogs, [branch](const Dialog& dialog) {
    return !dialog.confirmed && (!branch || dialog.branch == *branch);
  });
}

PinholePlan Call::Plan(const CallMonitorConfig& config) const {
  PinholePlan plan(
      config, {id, key.origin, caller_signalling.address, callee_signalling.address, &latched});
  for (const auto& [pinhole, grant] : adopted) plan.Keep(pinhole, grant);
  for (const InviteBranch& branch : branches) {
    if (branch.stage != InviteBranch::Stage::kPending || !branch.offer) continue;
    // One callee has answered: only it may send. Several: whoever of them is picked up first.
    const size_t early = EarlyDialogsOf(branch.transaction);
    const bool answered = std::any_of(dialogs.begin(), dialogs.end(), [&](const Dialog& dialog) {
      return dialog.branch == branch.transaction && dialog.negotiation.agreed();
    });
    if (early <= 1 && answered) continue;
    plan.AddOffer(*branch.offer, nullptr, PlanRank::kEarly);
  }
  for (const Dialog& dialog : dialogs) {
    const auto& agreed = dialog.negotiation.agreed();
    const auto& pending = dialog.negotiation.pending();
    if (agreed) {
      plan.AddSession(*agreed, dialog.confirmed ? PlanRank::kConfirmed : PlanRank::kEarly);
    }
    // The INVITE's own offer is its branch's until the dialog answers it.
    if (!pending || (!dialog.confirmed && pending->transaction == dialog.branch &&
                     pending->by == Party::kCaller)) {
      continue;
    }
    plan.AddOffer(*pending, agreed ? &*agreed : nullptr,
                  dialog.confirmed ? PlanRank::kConfirmedOffer : PlanRank::kEarlyOffer);
  }
  return plan;
}

bool Call::MediaExpected() const {
  return std::any_of(dialogs.begin(), dialogs.end(), [](const Dialog& dialog) {
    return dialog.confirmed && dialog.negotiation.agreed() &&
           dialog.negotiation.agreed()->MediaExpected();
  });
}

CallView Call::View() const {
  CallView view;
  view.id = id;
  view.call_id = key.call_id;
  view.caller = caller;
  view.callee = callee;
  view.state = state;
  view.outcome = outcome;
  view.origin = key.origin;
  view.started_ns = started_ns;
  view.answered_ns = answered_ns;
  view.ended_ns = ended_ns;
  view.adopted = adopted_ns != 0;
  view.why = why;
  view.caller_signalling = caller_signalling;
  view.callee_signalling = callee_signalling;
  for (const auto& [pinhole, grant] : open) view.pinholes.push_back(pinhole);
  return view;
}

}  // namespace stem
