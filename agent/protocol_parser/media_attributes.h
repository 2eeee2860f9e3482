// SPDX-License-Identifier: Apache-2.0
// The attributes of an m= section that say what its packets will be like: codecs, bandwidth, ICE,
// DTLS, sources, bundles.
#pragma once

#include <osipparser2/osip_port.h>
#include <osipparser2/sdp_message.h>

#include "agent/protocol_parser/session_description.h"

namespace stem {

// Completes `stream`, whose formats and transport have been read. What cannot be read is passed
// over: none of it is needed to open a pinhole.
void ReadMediaAttributes(const sdp_message_t& sdp, const sdp_media_t& media, MediaStream& stream);

}  // namespace stem
