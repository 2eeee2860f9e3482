// SPDX-License-Identifier: Apache-2.0
#include "agent/external_interface/instruction_set.h"

#include <chrono>
#include <map>

#include "absl/status/statusor.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"

namespace stem {
namespace {

// What the kernel's arithmetic holds: 1 a second with this burst fits 63 bits of nanoseconds.
constexpr uint32_t kMost = 10'000'000;
constexpr uint32_t kLongestPenaltyMs = 24 * 3600 * 1000;

absl::Status Wrong(std::string_view what, std::string_view right) {
  return absl::InvalidArgumentError(fmt::format("{}; {} would be right", what, right));
}

absl::StatusOr<ThresholdOrder> ReadThreshold(const v1::Threshold& message) {
  ThresholdOrder order;
  order.threshold = FindGuardThreshold(message.name());
  if (order.threshold == nullptr) {
    return Wrong(fmt::format("'{}' is no threshold of this firewall", ToPrintable(message.name())),
                 "one of " + GuardThresholdNames());
  }
  if (message.rate() > kMost) {
    return Wrong(fmt::format("a rate of {} is too much", message.rate()),
                 fmt::format("0 (no limit) to {} a second", kMost));
  }
  if (message.rate() > 0 && (message.burst() == 0 || message.burst() > kMost)) {
    return Wrong(fmt::format("a burst of {} lets nothing pass, or everything", message.burst()),
                 fmt::format("1 to {}", kMost));
  }
  if (message.penalty_ms() > 0 && !order.threshold->has_penalty) {
    return Wrong(fmt::format("{} is no limit of one source and has no penalty", message.name()),
                 "none");
  }
  if (message.penalty_ms() > kLongestPenaltyMs) {
    return Wrong(fmt::format("a penalty of {} ms is too long", message.penalty_ms()),
                 "a day at most");
  }
  order.limit = {static_cast<double>(message.rate()), message.burst(),
                 std::chrono::milliseconds(message.penalty_ms())};
  return order;
}

absl::StatusOr<IpAddress> ReadAddress(const std::string& text, std::string_view whose) {
  absl::StatusOr<IpAddress> address = IpAddress::Parse(text);
  if (!address.ok() || address->is_unspecified()) {
    return Wrong(fmt::format("its {} '{}' is no host's address", whose, ToPrintable(text)),
                 "an IPv4 or IPv6 address");
  }
  return address;
}

absl::Status CheckFamilies(const IpAddress& source, const IpAddress& destination) {
  if (source.is_v4() == destination.is_v4()) return absl::OkStatus();
  return Wrong(fmt::format("nothing goes from {} to {}", source.ToString(), destination.ToString()),
               "two addresses of one family");
}

absl::StatusOr<BlockOrder> ReadBlock(const v1::BlockedSource& message) {
  BlockOrder order;
  ASSIGN_OR_RETURN(order.key.source, ReadAddress(message.source(), "source"));
  if (!message.destination().empty()) {
    ASSIGN_OR_RETURN(order.key.destination, ReadAddress(message.destination(), "destination"));
    RETURN_IF_ERROR(CheckFamilies(order.key.source, order.key.destination));
  }
  switch (message.scope()) {
    case v1::BLOCK_SCOPE_UNSPECIFIED:
      order.scope = STEM_BLOCK_ALL;
      return order;
    case v1::BLOCK_SCOPE_SYN:
      order.scope = STEM_BLOCK_SYN;
      return order;
    case v1::BLOCK_SCOPE_SIGNALLING:
      order.scope = STEM_BLOCK_SIGNALLING;
      return order;
    case v1::BLOCK_SCOPE_MEDIA:
      order.scope = STEM_BLOCK_MEDIA;
      return order;
    default:
      return Wrong(fmt::format("scope {} is unknown to this version", message.scope()),
                   "syn, signalling, media or all");
  }
}

absl::StatusOr<PermitOrder> ReadPermit(const v1::Permit& message) {
  PermitOrder order;
  ASSIGN_OR_RETURN(order.key.source, ReadAddress(message.source(), "source"));
  ASSIGN_OR_RETURN(order.key.destination.address,
                   ReadAddress(message.destination(), "destination"));
  RETURN_IF_ERROR(CheckFamilies(order.key.source, order.key.destination.address));
  if (message.port() == 0 || message.port() > UINT16_MAX) {
    return Wrong(fmt::format("{} is no port", message.port()), "1 to 65535");
  }
  order.key.destination.port = static_cast<uint16_t>(message.port());
  return order;
}

// Also what no two instructions may be about.
std::string Text(const v1::Instruction& message) {
  switch (message.what_case()) {
    case v1::Instruction::kThreshold:
      return fmt::format("threshold {}", ToPrintable(message.threshold().name()));
    case v1::Instruction::kBlock: {
      const v1::BlockedSource& block = message.block();
      return block.destination().empty()
                 ? fmt::format("block {}", ToPrintable(block.source()))
                 : fmt::format("block {} to {}", ToPrintable(block.source()),
                               ToPrintable(block.destination()));
    }
    case v1::Instruction::kPermit:
      return fmt::format("permit {} to {} port {}", ToPrintable(message.permit().source()),
                         ToPrintable(message.permit().destination()), message.permit().port());
    case v1::Instruction::WHAT_NOT_SET:
      break;
  }
  return "something else";
}

std::string Text(const ThresholdOrder& order) {
  return fmt::format("threshold {}", order.threshold->name);
}
std::string Text(const BlockOrder& order) {
  const std::string source = order.key.source.ToString();
  return order.key.destination == IpAddress()
             ? fmt::format("block {}", source)
             : fmt::format("block {} to {}", source, order.key.destination.ToString());
}
std::string Text(const PermitOrder& order) {
  return fmt::format("permit {} to {} port {}", order.key.source.ToString(),
                     order.key.destination.address.ToString(), order.key.destination.port);
}

absl::StatusOr<Instruction> ReadInstruction(const v1::Instruction& message) {
  Instruction out;
  out.id = message.id();
  out.until_unix_ms = message.until_unix_ms();
  out.comment = ToPrintable(message.comment());
  switch (message.what_case()) {
    case v1::Instruction::kThreshold: {
      ASSIGN_OR_RETURN(out.what, ReadThreshold(message.threshold()));
      break;
    }
    case v1::Instruction::kBlock: {
      ASSIGN_OR_RETURN(out.what, ReadBlock(message.block()));
      break;
    }
    case v1::Instruction::kPermit: {
      ASSIGN_OR_RETURN(out.what, ReadPermit(message.permit()));
      break;
    }
    case v1::Instruction::WHAT_NOT_SET:
      return Wrong("it asks for nothing this version knows", "a threshold, a block or a permit");
  }
  // As this firewall understood it: the same address may be written in several ways.
  out.text = std::visit([](const auto& order) { return Text(order); }, out.what);
  return out;
}

// The connection is the firewall's own: only blocks of everything meet its answers.
bool CutsOff(const Instruction& instruction, const IpAddress& security_manager) {
  const auto* block = std::get_if<BlockOrder>(&instruction.what);
  return block != nullptr && block->key.source == security_manager &&
         block->scope == STEM_BLOCK_ALL;
}

}  // namespace

InstructionSet ReadInstructions(
    const google::protobuf::RepeatedPtrField<v1::Instruction>& instructions,
    const IpAddress& security_manager) {
  InstructionSet out;
  std::map<std::string, int64_t> known;
  for (const v1::Instruction& message : instructions) {
    absl::StatusOr<Instruction> read = ReadInstruction(message);
    if (!read.ok()) {
      out.refused.push_back({message.id(), Text(message), std::string(read.status().message())});
      continue;
    }
    if (CutsOff(*read, security_manager)) {
      out.refused.push_back(
          {read->id, read->text, "it would cut this firewall off from the security manager"});
      continue;
    }
    const auto [first, is_new] = known.emplace(read->text, read->id);
    if (!is_new) {
      out.refused.push_back(
          {read->id, read->text, fmt::format("instruction {} is about the same", first->second)});
      continue;
    }
    out.good.push_back(*std::move(read));
  }
  return out;
}

}  // namespace stem
