// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "ctl/simulate/frame.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

std::string BigEndian(uint32_t value, int bytes) {
  std::string out;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
  return out;
}

bool ParseNumber(const std::string& text, uint32_t* value) {
  const bool hex = text.starts_with("0x");
  return hex ? absl::SimpleHexAtoi(text, value) : absl::SimpleAtoi(text, value);
}

}  // namespace

absl::StatusOr<std::string> RtpPayload(std::string_view text) {
  struct Field {
    uint32_t value;
    uint32_t largest;
  };
  std::map<std::string, Field> fields = {
      {"pt", {0, 127}}, {"ssrc", {1, 0xffffffff}}, {"seq", {1, 65535}}, {"size", {160, 2900}}};
  for (const absl::string_view part :
       absl::StrSplit(absl::string_view(text.data(), text.size()), ',', absl::SkipEmpty())) {
    const std::vector<std::string> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const auto field = fields.find(pair[0]);
    if (field == fields.end() || pair.size() != 2 || !ParseNumber(pair[1], &field->second.value) ||
        field->second.value > field->second.largest) {
      return absl::InvalidArgumentError(
          fmt::format("--rtp: '{}' is none of pt=0..127, ssrc=N, seq=0..65535, size=0..2900",
                      std::string(part)));
    }
  }
  return std::string{'\x80', static_cast<char>(fields["pt"].value)} +
         BigEndian(fields["seq"].value, 2) + BigEndian(0, 4) + BigEndian(fields["ssrc"].value, 4) +
         std::string(fields["size"].value, '\xff');
}

absl::StatusOr<std::string> SipPayload(const std::string& method, const PacketDescription& packet) {
  const bool response = !method.empty() && std::all_of(method.begin(), method.end(), ::isdigit);
  const bool token = !method.empty() && method.size() <= 32 &&
                     std::all_of(method.begin(), method.end(),
                                 [](unsigned char c) { return std::isalnum(c) || c == '-'; });
  if (!token || (response && method.size() != 3)) {
    return absl::InvalidArgumentError(
        fmt::format("--sip: '{}' is neither a method nor a status code", method));
  }
  const std::string to = packet.destination.ToString();
  const std::string from = packet.source.ToString();
  const std::string start = response ? fmt::format("SIP/2.0 {} Simulated", method)
                                     : fmt::format("{} sip:{} SIP/2.0", method, to);
  return fmt::format(
      "{}\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKsimulated\r\nMax-Forwards: 70\r\n"
      "From: <sip:simulated@{}>;tag=1\r\nTo: <sip:{}>\r\nCall-ID: simulated\r\nCSeq: 1 {}\r\n"
      "Content-Length: 0\r\n\r\n",
      start, from, from, to, response ? "INVITE" : method);
}

absl::StatusOr<uint8_t> TcpFlags(std::string_view text) {
  static constexpr std::pair<std::string_view, uint8_t> kFlags[] = {
      {"fin", 1}, {"syn", 2}, {"rst", 4}, {"psh", 8}, {"ack", 16}, {"urg", 32}};
  uint8_t flags = 0;
  for (const absl::string_view part :
       absl::StrSplit(absl::string_view(text.data(), text.size()), ',', absl::SkipEmpty())) {
    std::string word(part);
    std::transform(word.begin(), word.end(), word.begin(), ::tolower);
    const auto* known = std::find_if(std::begin(kFlags), std::end(kFlags),
                                     [&](const auto& flag) { return flag.first == word; });
    if (known == std::end(kFlags)) {
      return absl::InvalidArgumentError(
          fmt::format("--flags: '{}' is none of fin, syn, rst, psh, ack, urg", word));
    }
    flags |= known->second;
  }
  return flags;
}

}  // namespace stem::ctl
