// SPDX-License-Identifier: Apache-2.0
// osip2's lists and strings, taken as C++ has them.
#pragma once

#include <osipparser2/osip_list.h>
#include <osipparser2/osip_port.h>

#include <string_view>

namespace stem {

// Visits every element, which is a T.
template <typename T, typename Visit>
void ForEach(const osip_list_t& list, Visit visit) {
  osip_list_iterator_t at;
  for (auto* element = osip_list_get_first(&list, &at); osip_list_iterator_has_elem(at);
       element = osip_list_get_next(&at)) {
    visit(*static_cast<const T*>(element));
  }
}

// osip2 has no string where a message has none.
inline std::string_view Text(const char* text) { return text == nullptr ? "" : text; }

}  // namespace stem
