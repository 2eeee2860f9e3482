// SPDX-License-Identifier: Apache-2.0
// Passing an absl::Status up, in one line.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define STEM_CONCAT_INNER(a, b) a##b
#define STEM_CONCAT(a, b) STEM_CONCAT_INNER(a, b)

// Returns from the calling function with the status of `expression` unless that is OK.
#define RETURN_IF_ERROR(expression)            \
  do {                                         \
    absl::Status stem_status = (expression);   \
    if (!stem_status.ok()) return stem_status; \
  } while (false)

// Evaluates `expression` (a StatusOr); returns its status on failure, else assigns its value.
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_INNER(STEM_CONCAT(stem_or_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                                   \
  if (!temporary.ok()) return temporary.status();                  \
  declaration = *std::move(temporary)
