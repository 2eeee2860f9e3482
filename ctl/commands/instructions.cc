// SPDX-License-Identifier: Apache-2.0
// stemctl instruction threshold|block|permit|list|remove: what all firewalls are to do
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "common/address.h"
#include "common/status_macros.h"
#include "ctl/commands/choice.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/lasting_option.h"
#include "ctl/instruction_view.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

constexpr uint16_t kSipPort = 5060;  // RFC 3261, 19.1.2
constexpr uint32_t kMost = 10'000'000;

struct Typed {
  std::string name;
  std::string rate;
  uint32_t burst = 0;  // 0: not given
  double penalty_seconds = 0;
  std::string source;
  std::string destination;
  v1::BlockScope scope = v1::BLOCK_SCOPE_UNSPECIFIED;
  double seconds = 0;  // 0: until it is taken back
  std::string comment;
  int64_t id = 0;
};

// "100/s", "100", and 0 for "none".
std::optional<uint32_t> ReadRate(std::string_view text) {
  if (text == "none") return 0;
  if (text.ends_with("/s")) text.remove_suffix(2);
  uint32_t rate = 0;
  if (!absl::SimpleAtoi(std::string(text), &rate) || rate == 0 || rate > kMost) {
    return std::nullopt;
  }
  return rate;
}

// With an address alone for the port of SIP.
std::optional<Endpoint> ReadDestination(const std::string& text) {
  if (const auto address = IpAddress::Parse(text); address.ok())
    return Endpoint{*address, kSipPort};
  const auto endpoint = Endpoint::Parse(text);
  return endpoint.ok() && endpoint->port != 0 ? std::optional(*endpoint) : std::nullopt;
}

// Refuses what `good` does not take, and says what would be right.
CLI::Validator Takes(std::function<bool(const std::string&)> good, std::string right) {
  return CLI::Validator(
      [good = std::move(good), right = std::move(right)](std::string& text) {
        return good(text) ? std::string() : fmt::format("'{}' is not {}", text, right);
      },
      /*validator_desc=*/"", /*validator_name=*/"");
}

CLI::Validator TakesAddress() {
  return Takes([](const std::string& text) { return IpAddress::Parse(text).ok(); },
               "an IPv4 or IPv6 address");
}

v1::Instruction ThresholdOf(const Typed& typed) {
  v1::Instruction instruction;
  v1::Threshold* threshold = instruction.mutable_threshold();
  threshold->set_name(typed.name);
  threshold->set_rate(*ReadRate(typed.rate));
  const uint32_t twice = std::min(2 * threshold->rate(), kMost);
  threshold->set_burst(typed.burst == 0 ? twice : typed.burst);
  threshold->set_penalty_ms(static_cast<uint32_t>(std::llround(typed.penalty_seconds * 1000)));
  return instruction;
}

v1::Instruction BlockOf(const Typed& typed) {
  v1::Instruction instruction;
  v1::BlockedSource* block = instruction.mutable_block();
  block->set_source(typed.source);
  block->set_destination(typed.destination);
  block->set_scope(typed.scope);
  return instruction;
}

v1::Instruction PermitOf(const Typed& typed) {
  v1::Instruction instruction;
  v1::Permit* permit = instruction.mutable_permit();
  const Endpoint destination = *ReadDestination(typed.destination);
  permit->set_source(typed.source);
  permit->set_destination(destination.address.ToString());
  permit->set_port(destination.port);
  return instruction;
}

ExitCode Show(Session& session, const absl::StatusOr<v1::Instruction>& instruction) {
  if (!instruction.ok()) return session.Fail(instruction.status());
  v1::ListInstructionsResponse alone;
  *alone.add_instructions() = *instruction;
  return session.Show(*instruction,
                      [&](const Viewpoint& view) { return RenderInstructions(alone, view); });
}

absl::StatusOr<v1::Instruction> Put(Session& session, v1::Instruction instruction,
                                    const Typed& typed) {
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  instruction.set_comment(typed.comment);
  if (typed.seconds > 0) {
    instruction.set_until_unix_ms(session.View().now_unix_ms + std::llround(typed.seconds * 1000));
  }
  v1::PutInstructionRequest request;
  *request.mutable_instruction() = std::move(instruction);
  return sm.Ask(&SmClient::Stub::PutInstruction, std::move(request));
}

absl::StatusOr<v1::Instruction> Remove(Session& session, int64_t id) {
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  v1::RemoveInstructionRequest request;
  request.set_id(id);
  return sm.Ask(&SmClient::Stub::RemoveInstruction, std::move(request));
}

absl::StatusOr<v1::ListInstructionsResponse> List(Session& session) {
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  return sm.Ask(&SmClient::Stub::ListInstructions, v1::ListInstructionsRequest());
}

// What every instruction may say besides; `made` makes it of what was typed.
void FinishPut(CLI::App* command, const std::shared_ptr<Typed>& typed, Command* chosen,
               v1::Instruction (*made)(const Typed&)) {
  AddLastingOption(command, "--for", &typed->seconds,
                   "Over after 90s, 10m, 2h, 7d; else when it is taken back");
  command->add_option("--comment", typed->comment, "Why")->type_name("TEXT");
  command->callback([=] {
    *chosen = [=](Session& session) { return Show(session, Put(session, made(*typed), *typed)); };
  });
}

void AddThreshold(CLI::App* instruction, const std::shared_ptr<Typed>& typed, Command* chosen) {
  CLI::App* command = instruction->add_subcommand(
      "threshold", "Sets a limit of the guards in the place of the firewalls' own");
  command
      ->add_option("NAME", typed->name, "As `stemctl thresholds` has them: syn_guard.source, ...")
      ->required();
  command->add_option("--rate", typed->rate, "So many a second on average, 100/s; none: no limit")
      ->required()
      ->check(Takes([](const std::string& text) { return ReadRate(text).has_value(); },
                    fmt::format("a rate of 1/s to {}/s, or none", kMost)))
      ->type_name("RATE");
  command->add_option("--burst", typed->burst, "So many at once; twice the rate if not given")
      ->check(CLI::Range(uint32_t{1}, kMost).description(""))
      ->type_name("COUNT");
  AddLastingOption(command, "--penalty", &typed->penalty_seconds,
                   "Above it, all of a source is refused for so long; only the excess if not given")
      ->check(CLI::Range(0.001, 86400.0).description(""));
  FinishPut(command, typed, chosen, ThresholdOf);
}

void AddBlock(CLI::App* instruction, const std::shared_ptr<Typed>& typed, Command* chosen) {
  CLI::App* command = instruction->add_subcommand("block", "Refuses a sender");
  command->add_option("SOURCE", typed->source, "Address of the sender")
      ->required()
      ->check(TakesAddress());
  command->add_option("--to", typed->destination, "Only what it sends to this address")
      ->check(TakesAddress())
      ->type_name("ADDRESS");
  command->add_option("--scope", typed->scope, "all (if not given), syn, signalling or media")
      ->transform(Choice<v1::BlockScope>({{"all", v1::BLOCK_SCOPE_UNSPECIFIED},
                                          {"syn", v1::BLOCK_SCOPE_SYN},
                                          {"signalling", v1::BLOCK_SCOPE_SIGNALLING},
                                          {"media", v1::BLOCK_SCOPE_MEDIA}}))
      ->type_name("SCOPE");
  FinishPut(command, typed, chosen, BlockOf);
}

void AddPermit(CLI::App* instruction, const std::shared_ptr<Typed>& typed, Command* chosen) {
  CLI::App* command = instruction->add_subcommand(
      "permit", "Lets a host inside open TCP connections to a SIP port outside");
  command->add_option("SOURCE", typed->source, "Address inside")->required()->check(TakesAddress());
  command
      ->add_option("DESTINATION", typed->destination,
                   "Address and port outside, 192.0.2.10:5060; port 5060 if not given")
      ->required()
      ->check(Takes([](const std::string& text) { return ReadDestination(text).has_value(); },
                    "an address and port: 192.0.2.10:5060, [2001:db8::10]:5060"));
  FinishPut(command, typed, chosen, PermitOf);
}

}  // namespace

void AddInstructionCommands(CLI::App& app, Command* chosen) {
  CLI::App* instruction =
      app.add_subcommand("instruction", "What the security manager has all firewalls do")
          ->require_subcommand(1);
  const auto typed = std::make_shared<Typed>();
  AddThreshold(instruction, typed, chosen);
  AddBlock(instruction, typed, chosen);
  AddPermit(instruction, typed, chosen);

  instruction->add_subcommand("list", "All of them")->callback([=] {
    *chosen = [](Session& session) {
      const auto list = List(session);
      if (!list.ok()) return session.Fail(list.status());
      return session.Show(*list,
                          [&](const Viewpoint& view) { return RenderInstructions(*list, view); });
    };
  });

  CLI::App* remove = instruction->add_subcommand("remove", "Takes one back, shown once more");
  remove->add_option("ID", typed->id, "As in the list")->required();
  remove->callback([=] {
    *chosen = [typed](Session& session) { return Show(session, Remove(session, typed->id)); };
  });
}

}  // namespace stem::ctl
