// SPDX-License-Identifier: Apache-2.0
#include "ctl/session.h"

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "common/status_macros.h"
#include "common/utf8.h"
#include "ctl/json_text.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

}  // namespace

Session::Session(GlobalOptions options)
    : options_(std::move(options)),
      screen_(Screen::OfStandardOutput(options_.colour, options_.ascii)) {}

absl::StatusOr<AgentClient> Session::Agent() const {
  ASSIGN_OR_RETURN(const std::string socket,
                   AgentSocket(ChooseAgent(options_.agent, options_.name)));
  return AgentClient::Connect(socket, Milliseconds(options_.timeout_seconds));
}

absl::StatusOr<SmClient> Session::Sm() const {
  return SmClient::Make(options_.sm, options_.tls, Milliseconds(options_.timeout_seconds));
}

Viewpoint Session::View() const {
  return {.screen = screen_,
          .now_unix_ms = absl::ToUnixMillis(absl::Now()),
          .zone = absl::LocalTimeZone()};
}

ExitCode Session::Show(const google::protobuf::Message& answer,
                       const std::function<std::string(const Viewpoint&)>& table) {
  if (!json()) return Print(table(View()));
  const auto text = JsonText(answer, JsonLayout::kDocument);
  return text.ok() ? Print(*text) : Fail(text.status());
}

ExitCode Session::Print(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (written) return ExitCode::kOk;
  return Fail(absl::DataLossError(
      fmt::format("cannot write the output: {}", std::generic_category().message(errno))));
}

ExitCode Session::Fail(const absl::Status& status) {
  // A message may quote what came from the network.
  fmt::print(stderr, "stemctl: {}\n", ToPrintable(std::string(status.message())));
  return ExitCodeOf(status);
}

}  // namespace stem::ctl
