// SPDX-License-Identifier: Apache-2.0
// Why the agent treated a SIP message as it did: one named reason and one counter for each way out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bpf/stem_abi.h"

namespace stem {

// X(name, is_drop, meaning). Every message ends in exactly one of these (an INVITE that is held
// counts as held first); `is_drop` says that it did not go on to its destination because something
// was wrong with it or not allowed.
#define STEM_SIP_REASONS(X)                                                                      \
  X(call_setup, 0, "message of a call that is being set up, forwarded")                          \
  X(in_dialog, 0, "message of a known dialog, forwarded")                                        \
  X(out_of_dialog, 0, "request outside any call, or its response, forwarded")                    \
  X(retransmission, 0, "retransmission of a message already forwarded, forwarded")               \
  X(held_for_decision, 0, "INVITE held until the security manager has decided")                  \
  X(absorbed, 0, "retransmission of a held INVITE, or the ACK of an answer the agent gave")      \
  X(answered_again, 0, "retransmission of a request the agent answered, answered again")         \
  X(cancelled_while_held, 0, "CANCEL of a held INVITE, answered by the agent")                   \
  X(keepalive, 1, "line ends or zeros that keep an address translation open, not SIP")           \
  X(not_sip, 1, "first line is neither a SIP request nor a SIP response")                        \
  X(malformed, 1, "SIP that RFC 3261 forbids")                                                   \
  X(bad_version, 1, "SIP version other than 2.0")                                                \
  X(over_limit, 1, "message longer than the agent takes")                                        \
  X(refused_by_decision, 1, "call refused by the security manager")                              \
  X(redirected_by_decision, 1, "call redirected by the security manager")                        \
  X(dropped_by_decision, 1, "call dropped without an answer, as the security manager asked")     \
  X(sm_down_refused, 1, "call refused because the security manager cannot be reached (sm_down)") \
  X(calls_full, 1, "no room for another call")                                                   \
  X(held_full, 1, "no room to hold another INVITE")                                              \
  X(pinholes_full, 1, "INVITE refused because its pinholes could not be opened")                 \
  X(call_store_full, 1, "INVITE refused because its record could not be stored")                 \
  X(transactions_full, 1, "no room for another transaction")                                     \
  X(response_without_request, 1, "response to a request that never passed")                      \
  X(response_out_of_state, 1, "response after the final response of its transaction")            \
  X(ack_without_call, 1, "ACK for no known call")                                                \
  X(cancel_without_invite, 1, "CANCEL for no known INVITE")                                      \
  X(request_without_call, 1, "BYE, re-INVITE, UPDATE, PRACK, INFO or REFER for no known call")   \
  X(wrong_dialog, 1, "request whose tags belong to no dialog of its call")                       \
  X(cseq_backwards, 1, "request with a CSeq number lower than its dialog has seen")              \
  X(transaction_reused, 1, "another request under the branch of one that has passed")            \
  X(not_signalling_port, 1, "request to a port that is not for signalling")                      \
  X(source_in_penalty, 1, "request of a source above its rate, answered 503, and its ACK")       \
  X(media_policed, 1, "no message: media of a call above its limits, told once a period")

enum class SipReason : uint8_t {
#define STEM_SIP_REASON_ENUM(name, is_drop, meaning) name,
  STEM_SIP_REASONS(STEM_SIP_REASON_ENUM)
#undef STEM_SIP_REASON_ENUM
};

// X(name, meaning). Events that are not the fate of one message.
#define STEM_CALL_EVENTS(X)                                                                      \
  X(calls_accepted, "calls from outside the security manager accepted")                          \
  X(calls_established, "calls answered with a 2xx")                                              \
  X(calls_ended_by_bye, "calls ended by BYE")                                                    \
  X(calls_failed, "calls ended by a final failure response to the INVITE, or cancelled")         \
  X(calls_ring_timeout, "calls ended because nobody answered in time")                           \
  X(calls_bye_timeout, "calls ended because BYE got no final response in time")                  \
  X(calls_idle_media, "calls ended because no media passed for the idle time")                   \
  X(calls_max_duration, "calls ended because they lasted as long as a call may")                 \
  X(calls_media_exceeded, "calls ended because a stream kept exceeding its limits")              \
  X(streams_policed, "streams that exceeded their limits, once for each period (media.period)")  \
  X(streams_lowered, "streams whose rate was lowered because they exceeded it")                  \
  X(calls_adopted, "calls taken over from an earlier agent")                                     \
  X(pinholes_opened, "pinholes opened")                                                          \
  X(pinholes_closed, "pinholes closed")                                                          \
  X(pinholes_refused, "pinholes not opened: the table was full or the kernel refused")           \
  X(pinholes_in_use, "pinholes not opened: another live call has that address and port")         \
  X(pinholes_taken_over, "pinholes taken from another call that no longer used them")            \
  X(media_not_allowed, "offered or answered endpoints that may not have a pinhole")              \
  X(sdp_refused, "session descriptions the agent cannot read, forwarded without pinholes")       \
  X(dialogs_refused, "answers of further forks without pinholes: the call has too many dialogs") \
  X(store_failed, "writes of a call's record that failed")                                       \
  X(orphan_pinholes_closed, "pinholes found at start that belonged to no call")                  \
  X(pinholes_denied, "pinholes not opened, or closed, because a static rule denies their media")

enum class CallEvent : uint8_t {
#define STEM_CALL_EVENT_ENUM(name, meaning) name,
  STEM_CALL_EVENTS(STEM_CALL_EVENT_ENUM)
#undef STEM_CALL_EVENT_ENUM
};

struct SipReasonText {
  std::string_view name;
  bool is_drop;
  std::string_view meaning;
};

inline constexpr SipReasonText kSipReasons[] = {
#define STEM_SIP_REASON_TEXT(name, is_drop, meaning) {#name, is_drop != 0, meaning},
    STEM_SIP_REASONS(STEM_SIP_REASON_TEXT)
#undef STEM_SIP_REASON_TEXT
};
inline constexpr size_t kSipReasonCount = std::size(kSipReasons);

struct CallEventText {
  std::string_view name;
  std::string_view meaning;
};

inline constexpr CallEventText kCallEvents[] = {
#define STEM_CALL_EVENT_TEXT(name, meaning) {#name, meaning},
    STEM_CALL_EVENTS(STEM_CALL_EVENT_TEXT)
#undef STEM_CALL_EVENT_TEXT
};
inline constexpr size_t kCallEventCount = std::size(kCallEvents);

inline constexpr const SipReasonText& Describe(SipReason reason) {
  return kSipReasons[static_cast<size_t>(reason)];
}
inline constexpr const CallEventText& Describe(CallEvent event) {
  return kCallEvents[static_cast<size_t>(event)];
}

// All counters of the call monitor since it was made.
struct SipCounters {
  struct Count {
    uint64_t messages = 0;
    uint64_t bytes = 0;  // UDP payload
  };
  // By reason, then by the side (enum stem_side) the message came in on.
  std::array<std::array<Count, STEM_SIDE_MAX>, kSipReasonCount> messages{};
  std::array<uint64_t, kCallEventCount> events{};

  uint64_t operator[](CallEvent event) const { return events[static_cast<size_t>(event)]; }
  // Sum over both sides.
  uint64_t operator[](SipReason reason) const {
    uint64_t sum = 0;
    for (const Count& count : messages[static_cast<size_t>(reason)]) sum += count.messages;
    return sum;
  }
};

}  // namespace stem
