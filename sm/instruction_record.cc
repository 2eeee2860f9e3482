// SPDX-License-Identifier: Apache-2.0
#include "sm/instruction_record.h"

#include <algorithm>
#include <array>

#include "common/address.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "sm/field_rules.h"

namespace stem {
namespace {

constexpr std::array kThresholds = {"invite_guard.invite",   "invite_guard.new_sources",
                                    "invite_guard.other",    "invite_guard.register",
                                    "invite_guard.response", "syn_guard.destination",
                                    "syn_guard.new_sources", "syn_guard.source"};
// Those that limit all sources together, or destinations: nobody is there to be silenced.
constexpr std::array kWithoutPenalty = {"invite_guard.new_sources", "syn_guard.destination",
                                        "syn_guard.new_sources"};
constexpr uint32_t kMostRate = 10'000'000;
constexpr uint32_t kLongestPenaltyMs = 24 * 3600 * 1000;

absl::Status CheckThreshold(const v1::Threshold& threshold) {
  if (std::find(kThresholds.begin(), kThresholds.end(), threshold.name()) == kThresholds.end()) {
    return WrongField("threshold.name", fmt::format("'{}' is no threshold", threshold.name()),
                      fmt::format("one of {}", fmt::join(kThresholds, ", ")));
  }
  if (threshold.rate() > kMostRate) {
    return WrongField("threshold.rate", fmt::format("{} is too much", threshold.rate()),
                      fmt::format("0 (no limit) to {} a second", kMostRate));
  }
  if (threshold.rate() > 0 && (threshold.burst() == 0 || threshold.burst() > kMostRate)) {
    return WrongField("threshold.burst",
                      fmt::format("{} lets nothing pass, or everything", threshold.burst()),
                      fmt::format("1 to {}", kMostRate));
  }
  if (threshold.penalty_ms() > 0 && std::find(kWithoutPenalty.begin(), kWithoutPenalty.end(),
                                              threshold.name()) != kWithoutPenalty.end()) {
    return WrongField(
        "threshold.penalty_ms",
        fmt::format("has no meaning for {}, which limits no single source", threshold.name()), "0");
  }
  if (threshold.penalty_ms() > kLongestPenaltyMs) {
    return WrongField("threshold.penalty_ms", fmt::format("{} is too long", threshold.penalty_ms()),
                      "a day at most");
  }
  return absl::OkStatus();
}

// The address in canonical form, in the place of what was written.
absl::StatusOr<IpAddress> Canonicalise(std::string_view field, std::string* text) {
  absl::StatusOr<IpAddress> address = IpAddress::Parse(*text);
  if (!address.ok() || address->is_unspecified()) {
    return WrongField(field, fmt::format("'{}' is no host's address", *text),
                      "an IPv4 or IPv6 address");
  }
  *text = address->ToString();
  return address;
}

// `destination` may be empty where the field may be.
absl::Status CanonicaliseStream(std::string_view kind, std::string* source,
                                std::string* destination) {
  const std::string field = fmt::format("{}.destination", kind);
  ASSIGN_OR_RETURN(const IpAddress from, Canonicalise(fmt::format("{}.source", kind), source));
  if (destination->empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const IpAddress to, Canonicalise(field, destination));
  if (from.is_v4() == to.is_v4()) return absl::OkStatus();
  return WrongField(field, fmt::format("nothing goes from {} to {}", *source, *destination),
                    "an address of the source's family");
}

absl::Status CheckBlock(v1::BlockedSource* block) {
  RETURN_IF_ERROR(
      CanonicaliseStream("block", block->mutable_source(), block->mutable_destination()));
  if (!v1::BlockScope_IsValid(block->scope())) {
    return WrongField("block.scope", "is unknown", "SYN, SIGNALLING, MEDIA, or none for all");
  }
  return absl::OkStatus();
}

absl::Status CheckPermit(v1::Permit* permit) {
  if (permit->destination().empty()) {
    return WrongField("permit.destination", "is missing", "an IPv4 or IPv6 address");
  }
  RETURN_IF_ERROR(
      CanonicaliseStream("permit", permit->mutable_source(), permit->mutable_destination()));
  if (permit->port() == 0 || permit->port() > 65535) {
    return WrongField("permit.port", fmt::format("{} is no port", permit->port()), "1 to 65535");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InstructionRecord> ToInstructionRecord(const v1::Instruction& instruction,
                                                      int64_t now_unix_ms) {
  if (instruction.id() != 0) return WrongField("id", "is chosen by the security manager", "0");
  RETURN_IF_ERROR(CheckLine("comment", instruction.comment(), kMaxCommentBytes));
  if (instruction.until_unix_ms() != 0 && instruction.until_unix_ms() <= now_unix_ms) {
    return WrongField("until_unix_ms", "is past", "a time to come, or 0 for no end");
  }
  InstructionRecord record{instruction, {}};
  v1::Instruction& checked = record.instruction;
  switch (checked.what_case()) {
    case v1::Instruction::kThreshold:
      RETURN_IF_ERROR(CheckThreshold(checked.threshold()));
      break;
    case v1::Instruction::kBlock:
      RETURN_IF_ERROR(CheckBlock(checked.mutable_block()));
      break;
    case v1::Instruction::kPermit:
      RETURN_IF_ERROR(CheckPermit(checked.mutable_permit()));
      break;
    case v1::Instruction::WHAT_NOT_SET:
      return WrongField("instruction", "says nothing", "a threshold, a block or a permit");
  }
  record.key = InstructionText(checked);
  return record;
}

std::string InstructionText(const v1::Instruction& instruction) {
  switch (instruction.what_case()) {
    case v1::Instruction::kThreshold:
      return fmt::format("threshold {}", instruction.threshold().name());
    case v1::Instruction::kBlock: {
      const v1::BlockedSource& block = instruction.block();
      return block.destination().empty()
                 ? fmt::format("block {}", block.source())
                 : fmt::format("block {} to {}", block.source(), block.destination());
    }
    case v1::Instruction::kPermit: {
      const v1::Permit& permit = instruction.permit();
      return fmt::format("permit {} to {} port {}", permit.source(), permit.destination(),
                         permit.port());
    }
    case v1::Instruction::WHAT_NOT_SET:
      break;
  }
  return "nothing";
}

}  // namespace stem
