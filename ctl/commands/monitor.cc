// SPDX-License-Identifier: Apache-2.0
// stemctl monitor
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>

#include "ctl/commands/commands.h"
#include "ctl/event_view.h"
#include "ctl/interrupt.h"
#include "ctl/json_text.h"

namespace stem::ctl {
namespace {

// How soon the end of the stream is noticed by the thread that waits for Ctrl-C.
constexpr std::chrono::milliseconds kLookAround{100};

// Cancels `context` on Ctrl-C, while it lives.
class CancelOnInterrupt {
 public:
  CancelOnInterrupt(Interrupt& interrupt, grpc::ClientContext& context)
      : thread_([this, &interrupt, &context](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            if (!interrupt.Within(kLookAround)) continue;
            interrupted_ = true;
            context.TryCancel();
            return;
          }
        }) {}

  bool interrupted() const { return interrupted_; }

 private:
  std::atomic<bool> interrupted_ = false;
  std::jthread thread_;
};

ExitCode PrintEvent(Session& session, const v1::Event& event) {
  if (!session.json()) return session.Print(RenderEvent(event, session.View()));
  const auto line = JsonText(event, JsonLayout::kLine);
  return line.ok() ? session.Print(*line) : session.Fail(line.status());
}

// Until Ctrl-C, or `count` events where that is not 0.
ExitCode Monitor(Session& session, uint64_t count) {
  auto interrupt = Interrupt::Catch();
  if (!interrupt.ok()) return session.Fail(interrupt.status());
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  grpc::ClientContext context;
  const auto reader = agent->stub().Monitor(&context, v1::MonitorRequest());
  const CancelOnInterrupt cancel(*interrupt, context);
  v1::Event event;
  for (uint64_t shown = 0; (count == 0 || shown < count) && reader->Read(&event); ++shown) {
    const ExitCode printed = PrintEvent(session, event);
    if (printed != ExitCode::kOk) {
      context.TryCancel();
      return printed;
    }
    if (count != 0 && shown + 1 == count) {
      context.TryCancel();
      return ExitCode::kOk;
    }
  }
  const grpc::Status status = reader->Finish();
  if (cancel.interrupted() || status.ok()) return ExitCode::kOk;
  return session.Fail(agent->Explain(status));
}

}  // namespace

void AddMonitorCommand(CLI::App& app, Command* chosen) {
  const auto count = std::make_shared<uint64_t>(0);
  CLI::App* monitor =
      app.add_subcommand("monitor", "Live: every SIP message judged, every drop reported");
  monitor->add_option("-c,--count", *count, "End after so many events")->check(CLI::PositiveNumber);
  monitor->callback(
      [=] { *chosen = [count](Session& session) { return Monitor(session, *count); }; });
}

}  // namespace stem::ctl
