// SPDX-License-Identifier: Apache-2.0
// What codecs send: payload rate and frame length of each encoding the firewall knows.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace stem {

struct Codec {
  enum class Role : uint8_t {
    kMain,     // one of them is spoken at a time
    kBeside,   // comes besides a main one: telephone-event, CN
    kRepeats,  // carries main ones over again: RED, RTX, FEC
  };
  Role role = Role::kMain;
  uint64_t bits_per_second = 0;  // of payload at most, its own headers included
  uint32_t frame_us = 0;         // shortest frame; packets hold whole ones
  bool variable = false;         // a description may lower the rate (b=, maxaveragebitrate)
  uint64_t repeats = 0;          // kRepeats: how many further copies of a main one
};

// `encoding` is that of a=rtpmap: "PCMU/8000", "L16/44100/2", names in any case (RFC 4855, 3).
// nullopt for one that is not known, video among them: what it sends only its description can say.
std::optional<Codec> FindCodec(std::string_view encoding);

}  // namespace stem
