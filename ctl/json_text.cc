// SPDX-License-Identifier: Apache-2.0
#include "ctl/json_text.h"

#include "fmt/format.h"
#include "google/protobuf/util/json_util.h"

namespace stem::ctl {

absl::StatusOr<std::string> JsonText(const google::protobuf::Message& message, JsonLayout layout) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = layout == JsonLayout::kDocument;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) {
    return absl::InternalError(
        fmt::format("cannot write the answer as JSON: {}", status.ToString()));
  }
  if (text.empty() || text.back() != '\n') text += '\n';
  return text;
}

}  // namespace stem::ctl
