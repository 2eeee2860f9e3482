// SPDX-License-Identifier: Apache-2.0
#include "agent/flow_monitor/codec_table.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace stem {
namespace {

struct Entry {
  std::string_view name;
  uint32_t bits_per_sample;  // times clock rate and channels; 0: bits_per_second says it
  Codec codec;
};

constexpr auto kMain = Codec::Role::kMain;
constexpr auto kBeside = Codec::Role::kBeside;
constexpr auto kRepeats = Codec::Role::kRepeats;
constexpr uint32_t kAnyFrame = 125;  // sample-based: as short as one likes

// Rates are the highest mode's, rounded up to whole octets a frame.
constexpr Entry kCodecs[] = {
    // RFC 3551, 4.5: sample-based.
    {"PCMU", 8, {kMain, 0, kAnyFrame}},
    {"PCMA", 8, {kMain, 0, kAnyFrame}},
    {"L8", 8, {kMain, 0, kAnyFrame}},
    {"L16", 16, {kMain, 0, kAnyFrame}},
    {"L20", 20, {kMain, 0, kAnyFrame}},
    {"L24", 24, {kMain, 0, kAnyFrame}},
    {"DVI4", 5, {kMain, 0, kAnyFrame}},  // 4, and 4 octets a packet
    {"VDVI", 5, {kMain, 0, kAnyFrame}},
    {"CLEARMODE", 8, {kMain, 0, kAnyFrame}},  // RFC 4040
    {"G722", 0, {kMain, 64000, kAnyFrame}},   // its clock rate is said to be 8000
    {"G726-16", 0, {kMain, 16000, kAnyFrame}},
    {"G726-24", 0, {kMain, 24000, kAnyFrame}},
    {"G726-32", 0, {kMain, 32000, kAnyFrame}},
    {"G726-40", 0, {kMain, 40000, kAnyFrame}},
    {"AAL2-G726-16", 0, {kMain, 16000, kAnyFrame}},
    {"AAL2-G726-24", 0, {kMain, 24000, kAnyFrame}},
    {"AAL2-G726-32", 0, {kMain, 32000, kAnyFrame}},
    {"AAL2-G726-40", 0, {kMain, 40000, kAnyFrame}},
    {"G728", 0, {kMain, 16000, 2500}},
    // RFC 3551, 4.5: frame-based.
    {"G723", 0, {kMain, 6400, 30000}},  // 24 octets in 30 ms
    {"G729", 0, {kMain, 8000, 10000}},  // 10 octets in 10 ms
    {"G729D", 0, {kMain, 6400, 10000}},
    {"G729E", 0, {kMain, 12000, 10000}},
    {"GSM", 0, {kMain, 13200, 20000}},  // 33 octets in 20 ms
    {"GSM-EFR", 0, {kMain, 12400, 20000}},
    {"GSM-HR-08", 0, {kMain, 6000, 20000}},
    {"LPC", 0, {kMain, 5600, 20000}},
    {"QCELP", 0, {kMain, 14000, 20000}},
    {"MPA", 0, {kMain, 448000, 8000, true}},
    // Others.
    {"iLBC", 0, {kMain, 15200, 20000}},         // RFC 3952: 38 octets in 20 ms
    {"speex", 0, {kMain, 44000, 20000, true}},  // RFC 5574: ultra-wideband
    {"opus", 0, {kMain, 510000, 2500, true}},   // RFC 7587, 6.1
    {"AMR", 0, {kMain, 13600, 20000}},          // RFC 4867: 12.2 kbit/s, octet-aligned
    {"AMR-WB", 0, {kMain, 24800, 20000}},       // RFC 4867: 23.85 kbit/s
    {"AMR-WB+", 0, {kMain, 49600, 20000}},      // RFC 4352
    {"EVS", 0, {kMain, 128800, 20000, true}},   // TS 26.445, annex A
    {"G7221", 0, {kMain, 48000, 20000}},        // RFC 5577
    {"G719", 0, {kMain, 128000, 20000, true}},  // RFC 5404
    {"BV16", 0, {kMain, 16000, 5000}},          // RFC 4298
    {"BV32", 0, {kMain, 32000, 5000}},
    {"SILK", 0, {kMain, 40000, 20000, true}},
    {"iSAC", 0, {kMain, 56000, 30000, true}},
    {"t38", 0, {kMain, 128000, kAnyFrame}},  // RFC 4612: 33.6 kbit/s, repeated
    {"t140", 0, {kMain, 8000, 100000}},      // RFC 4103: text
    // Besides: an event of 16 octets each 20 ms (RFC 4733); comfort noise (RFC 3389).
    {"telephone-event", 0, {kBeside, 6400, 20000}},
    {"tone", 0, {kBeside, 6400, 20000}},
    {"CN", 0, {kBeside, 6400, 20000}},
    // Again: RFC 2198 with two older copies, RFC 4588, RFC 5109, RFC 8627.
    {"red", 0, {kRepeats, 0, 0, false, 2}},
    {"rtx", 0, {kRepeats, 0, 0, false, 1}},
    {"ulpfec", 0, {kRepeats, 0, 0, false, 1}},
    {"parityfec", 0, {kRepeats, 0, 0, false, 1}},
    {"flexfec", 0, {kRepeats, 0, 0, false, 1}},
    {"flexfec-03", 0, {kRepeats, 0, 0, false, 1}},
};

constexpr uint64_t kHighestClock = 384000;
constexpr uint64_t kMostChannels = 8;

bool EqualNames(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

// The number between slashes that `encoding` starts with, taken off it; `otherwise` without one.
uint64_t TakeNumber(std::string_view& encoding, uint64_t otherwise, uint64_t most) {
  const std::string_view text = encoding.substr(0, encoding.find('/'));
  encoding.remove_prefix(std::min(text.size() + 1, encoding.size()));
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number == 0) return otherwise;
  return std::min(number, most);
}

}  // namespace

std::optional<Codec> FindCodec(std::string_view encoding) {
  const std::string_view name = encoding.substr(0, encoding.find('/'));
  encoding.remove_prefix(std::min(name.size() + 1, encoding.size()));
  const uint64_t clock = TakeNumber(encoding, 8000, kHighestClock);
  const uint64_t channels = TakeNumber(encoding, 1, kMostChannels);
  const auto* at = std::find_if(std::begin(kCodecs), std::end(kCodecs),
                                [&](const Entry& entry) { return EqualNames(entry.name, name); });
  if (at == std::end(kCodecs)) return std::nullopt;
  Codec codec = at->codec;
  if (at->bits_per_sample != 0) codec.bits_per_second = at->bits_per_sample * clock * channels;
  return codec;
}

}  // namespace stem
