// SPDX-License-Identifier: Apache-2.0
// Fuzzes the reading of session descriptions, alone and as a part of a multipart body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/protocol_parser/session_description.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const stem::CallLimits limits;
  const auto description = stem::ParseSessionDescription(text, limits);
  if (description.ok()) {
    if (description->streams.size() > limits.streams_per_session) std::abort();
    for (const stem::MediaStream& stream : description->streams) {
      if (stream.codecs.size() > limits.codecs_per_stream) std::abort();
      if (!stream.rejected() && stream.rtp.port + 2 * stream.port_pairs - 1 > 65536) std::abort();
    }
  }
  const auto part = stem::FindSdp("multipart/mixed;boundary=b", text);
  if (part &&
      (part->data() < text.data() || part->data() + part->size() > text.data() + text.size())) {
    std::abort();
  }
  return 0;
}
