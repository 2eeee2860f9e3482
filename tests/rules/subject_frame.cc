// SPDX-License-Identifier: Apache-2.0
#include "tests/rules/subject_frame.h"

#include <netinet/in.h>

namespace stem {
namespace {

using Bytes = std::vector<uint8_t>;

void Add16(Bytes& out, size_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

Bytes Transport(const RuleSubject& subject) {
  Bytes out;
  switch (subject.protocol) {
    case IPPROTO_TCP:
      Add16(out, subject.source_port);
      Add16(out, subject.destination_port);
      out.resize(12);
      out.push_back(0x50);
      out.push_back(subject.tcp_flags);
      out.resize(20);
      return out;
    case IPPROTO_UDP:
      Add16(out, subject.source_port);
      Add16(out, subject.destination_port);
      Add16(out, 8);
      out.resize(8);
      return out;
    default:
      out.push_back(subject.icmp_type);
      out.resize(8);
      return out;
  }
}

}  // namespace

std::vector<uint8_t> ToFrame(const RuleSubject& subject) {
  const Bytes transport = Transport(subject);
  Bytes out(12, 0x02);
  const auto& source = subject.source.bytes;
  const auto& destination = subject.destination.bytes;
  if (subject.version == 4) {
    Add16(out, 0x0800);
    out.insert(out.end(), {0x45, 0});
    Add16(out, 20 + transport.size());
    out.insert(out.end(), {0, 0, 0, 0, 64, subject.protocol, 0, 0});
    out.insert(out.end(), source.begin() + 12, source.end());
    out.insert(out.end(), destination.begin() + 12, destination.end());
  } else {
    Add16(out, 0x86dd);
    out.insert(out.end(), {0x60, 0, 0, 0});
    Add16(out, transport.size());
    out.insert(out.end(), {subject.protocol, 64});
    out.insert(out.end(), source.begin(), source.end());
    out.insert(out.end(), destination.begin(), destination.end());
  }
  out.insert(out.end(), transport.begin(), transport.end());
  return out;
}

}  // namespace stem
