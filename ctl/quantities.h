// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ctl/screen.h"
#include "stem/v1/common.pb.h"

namespace stem::ctl {

// 1234567 -> "1,234,567"
std::string Counted(uint64_t number);

// The two largest units that matter: "850 ms", "12 s", "1m 12s", "3h 04m", "2d 05h".
// Negative durations (a clock was set back) are shown as "0 ms".
std::string Lasting(int64_t milliseconds);

// Three significant digits: "800 B/s", "15.0 kB/s", "1.25 GB/s"; "none" for 0.
std::string ByteRate(uint64_t bytes_per_second);

// Three significant digits: "0.42 µs", "18.3 µs", "1.24 ms", "2.50 s".
std::string Microseconds(double microseconds, const Screen& screen);

// "192.0.2.10:5060", "[2001:db8::10]:5060", "192.0.2.10" without a port, "" without an address.
std::string AddressText(const v1::Endpoint& endpoint);

// "outside", "inside", and for no side `none`.
std::string_view SideText(v1::Side side, std::string_view none = "-");

}  // namespace stem::ctl
