// SPDX-License-Identifier: Apache-2.0
// Answers as JSON for programs: protobuf's own mapping with the field names of proto/stem/v1.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace stem::ctl {

enum class JsonLayout { kDocument, kLine };

// Every scalar and list is there, also when zero or empty; a message that is not set is left out.
// 64-bit integers are strings, as protobuf's mapping has it, so that no reader rounds them. A
// document is indented, a line is one line; both end in a newline.
absl::StatusOr<std::string> JsonText(const google::protobuf::Message& message, JsonLayout layout);

}  // namespace stem::ctl
