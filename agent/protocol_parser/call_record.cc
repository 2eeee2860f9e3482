// SPDX-License-Identifier: Apache-2.0
// A call's record in the CallStore: written as the call goes on, read by the next agent.
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "agent/protocol_parser/call.h"
#include "fmt/format.h"

namespace stem {
namespace {

// Cuts what does not fit. Call-ID and tags always fit: see Identifier().
template <size_t N>
void Copy(std::string_view text, char (&out)[N]) {
  const size_t length = std::min(text.size(), N - 1);
  std::memcpy(out, text.data(), length);
  out[length] = '\0';
}

template <size_t N>
std::string Text(const char (&in)[N]) {
  return std::string(in, strnlen(in, N));
}

stem_call_state StoredState(CallState state) {
  switch (state) {
    case CallState::kDeciding:
      return STEM_CALL_DECIDING;
    case CallState::kRinging:
      return STEM_CALL_RINGING;
    case CallState::kEstablished:
      return STEM_CALL_ESTABLISHED;
    case CallState::kEnding:
      return STEM_CALL_ENDING;
    case CallState::kEnded:
      return STEM_CALL_NONE;
  }
  return STEM_CALL_NONE;
}

}  // namespace

uint64_t CallIdentity(const CallKey& key) {
  const std::string text =
      fmt::format("{}\n{}\n{}", key.call_id, key.caller_tag, static_cast<int>(key.origin));
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  uint64_t id = 0;
  for (int i = 0; i < 8; ++i) id = id << 8 | digest[i];
  return id == 0 ? 1 : id;
}

stem_call Call::Record() const {
  stem_call record{};
  Copy(key.call_id, record.call_id);
  Copy(key.caller_tag, record.caller_tag);
  const auto confirmed =
      std::find_if(dialogs.begin(), dialogs.end(), [](const Dialog& d) { return d.confirmed; });
  if (confirmed != dialogs.end()) Copy(confirmed->callee_tag, record.callee_tag);
  Copy(caller, record.caller);
  Copy(callee, record.callee);
  record.state = StoredState(state);
  record.origin = key.origin;
  std::copy(caller_signalling.address.bytes.begin(), caller_signalling.address.bytes.end(),
            record.caller_address);
  std::copy(callee_signalling.address.bytes.begin(), callee_signalling.address.bytes.end(),
            record.callee_address);
  record.caller_port = caller_signalling.port;
  record.callee_port = callee_signalling.port;
  record.cseq = cseq;
  record.started_ns = started_ns;
  record.answered_ns = answered_ns;
  record.media_expected = media_expected ? 1 : 0;
  return record;
}

Call CallFromRecord(uint64_t id, const stem_call& record, size_t ladder_steps) {
  Call call({Text(record.call_id), Text(record.caller_tag), record.origin}, ladder_steps);
  call.id = id;
  switch (record.state) {
    case STEM_CALL_RINGING:
      call.state = CallState::kRinging;
      break;
    case STEM_CALL_ESTABLISHED:
      call.state = CallState::kEstablished;
      break;
    case STEM_CALL_ENDING:
      call.state = CallState::kEnding;
      break;
    case STEM_CALL_NONE:
    case STEM_CALL_DECIDING:
      call.state = CallState::kEnded;
      break;
  }
  call.caller = Text(record.caller);
  call.callee = Text(record.callee);
  call.caller_signalling = {IpAddress::FromV6(record.caller_address), record.caller_port};
  call.callee_signalling = {IpAddress::FromV6(record.callee_address), record.callee_port};
  call.cseq = record.cseq;
  call.started_ns = record.started_ns;
  call.answered_ns = record.answered_ns;
  call.media_expected = record.media_expected != 0;
  if (call.state == CallState::kEstablished || call.state == CallState::kEnding) {
    Dialog dialog;
    dialog.callee_tag = Text(record.callee_tag);
    dialog.confirmed = true;
    dialog.caller_cseq = record.cseq;
    call.dialogs.push_back(std::move(dialog));
  }
  return call;
}

std::optional<SessionDescription> OfferFromPinholes(const Call& call) {
  SessionDescription offer;
  for (const auto& [key, grant] : call.adopted) {
    if (key.from == call.key.origin || grant.media == STEM_MEDIA_RTCP) continue;
    MediaStream stream;
    stream.media = "media";
    const bool rtp = grant.media != STEM_MEDIA_UDP;
    stream.kind = rtp ? MediaTransport::kRtp : MediaTransport::kUdp;
    stream.payload_types = grant.limits.payload_types;
    stream.ice = (grant.limits.extras & STEM_EXTRA_STUN) != 0;
    stream.dtls = (grant.limits.extras & STEM_EXTRA_DTLS) != 0;
    stream.many_sources = (grant.limits.extras & STEM_EXTRA_MANY_SSRCS) != 0;
    stream.rtp = key.destination;
    stream.rtcp_mux = grant.media == STEM_MEDIA_RTP_RTCP;
    const Endpoint rtcp{key.destination.address, static_cast<uint16_t>(key.destination.port + 1)};
    if (rtp && call.adopted.contains({rtcp, key.from})) stream.rtcp = rtcp;
    offer.streams.push_back(std::move(stream));
  }
  if (offer.streams.empty()) return std::nullopt;
  return offer;
}

}  // namespace stem
