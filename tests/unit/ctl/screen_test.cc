// SPDX-License-Identifier: Apache-2.0
#include "ctl/screen.h"

#include "common/utf8.h"
#include "ctl/quantities.h"
#include "ctl/table.h"
#include "gtest/gtest.h"

namespace stem::ctl {
namespace {

const Screen kPlain;
const Screen kAscii{.glyphs = Glyphs::kAscii};

TEST(Utf8, WellFormedTextIsValidAndOtherBytesAreEscaped) {
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(IsValidUtf8("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\x9e"));
  // RFC 3629: overlong forms, surrogates, beyond 0x10FFFF, cut short, lone continuation.
  for (const std::string_view wrong :
       {"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xe2\x82", "\x80", "\xff"}) {
    EXPECT_FALSE(IsValidUtf8(wrong)) << testing::PrintToString(wrong);
    EXPECT_TRUE(IsValidUtf8(ToValidUtf8(wrong)));
  }
  EXPECT_EQ(ToValidUtf8("a\xe2\x82z\xc3\xa9"), "a\\xE2\\x82z\xc3\xa9");
  EXPECT_EQ(ToValidUtf8("tab\tstays"), "tab\tstays");
}

// What a caller writes into a SIP header must not command the operator's terminal.
TEST(Utf8, ControlsAreNeverShown) {
  EXPECT_EQ(ToPrintable("\x1b]0;title\x07"), "\\x1B]0;title\\x07");
  EXPECT_EQ(ToPrintable("a\r\nb\x7f"), "a\\x0D\\x0Ab\\x7F");
  EXPECT_EQ(ToPrintable("\xc2\x9b"
                        "31m"),
            "\\x9B31m");  // C1 CSI
  EXPECT_EQ(ToPrintable("\xe2\x80\xae"
                        "gpj.exe"),
            "\\u{202E}gpj.exe");  // right-to-left override
  EXPECT_EQ(ToPrintable("bj\xc3\xb6rn"), "bj\xc3\xb6rn");
  EXPECT_EQ(ToPrintable(std::string_view("\0", 1)), "\\x00");
}

TEST(Screen, AnAsciiScreenGetsOnlyAscii) {
  EXPECT_EQ(kAscii.Safe("bj\xc3\xb6rn \xf0\x9f\x93\x9e"), "bj\\u{00F6}rn \\u{1F4DE}");
  EXPECT_EQ(kPlain.Safe("bj\xc3\xb6rn"), "bj\xc3\xb6rn");
}

TEST(Screen, ColumnsCountWhatATerminalShows) {
  EXPECT_EQ(Columns("abc"), 3);
  EXPECT_EQ(Columns("\xc3\xa9"), 1);
  EXPECT_EQ(Columns("e\xcc\x81"), 1);                 // e + combining acute
  EXPECT_EQ(Columns("\xe6\x97\xa5\xe6\x9c\xac"), 4);  // two ideographs
  EXPECT_EQ(Columns("\xe2\x94\x80\xe2\x96\xba"), 2);
}

TEST(Screen, PaddingAndElision) {
  EXPECT_EQ(Padded("ab", 4, Align::kLeft), "ab  ");
  EXPECT_EQ(Padded("ab", 4, Align::kRight), "  ab");
  EXPECT_EQ(Padded("abcde", 4, Align::kLeft), "abcde");
  EXPECT_EQ(Elided("abcdef", 6, kPlain), "abcdef");
  EXPECT_EQ(Elided("abcdefg", 6, kPlain), "abcde…");
  EXPECT_EQ(Elided("abcdefg", 6, kAscii), "abc...");
  EXPECT_EQ(Elided("abcdefg", 2, kAscii), "..");
  // A wide character that does not fit is not cut in two.
  EXPECT_EQ(Elided("\xe6\x97\xa5\xe6\x9c\xac", 2, kPlain), "…");
}

TEST(Screen, ColourOnlyWhereWanted) {
  EXPECT_EQ(kPlain.Painted(Paint::kRed, "x"), "x");
  const Screen coloured{.colour = true};
  EXPECT_EQ(coloured.Painted(Paint::kRed, "x"), "\x1b[31mx\x1b[0m");
  EXPECT_EQ(coloured.Painted(Paint::kPlain, "x"), "x");
}

TEST(Quantities, AsPeopleReadThem) {
  EXPECT_EQ(Counted(0), "0");
  EXPECT_EQ(Counted(999), "999");
  EXPECT_EQ(Counted(1000), "1,000");
  EXPECT_EQ(Counted(1234567), "1,234,567");
  EXPECT_EQ(Counted(18446744073709551615U), "18,446,744,073,709,551,615");

  EXPECT_EQ(ByteRate(0), "none");
  EXPECT_EQ(ByteRate(800), "800 B/s");
  EXPECT_EQ(ByteRate(9'994), "9.99 kB/s");
  EXPECT_EQ(ByteRate(9'996), "10.0 kB/s");
  EXPECT_EQ(ByteRate(999'499), "999 kB/s");
  EXPECT_EQ(ByteRate(999'500), "1.00 MB/s");
  EXPECT_EQ(ByteRate(1'250'000'000), "1.25 GB/s");
  EXPECT_EQ(Lasting(-5), "0 ms");
  EXPECT_EQ(Lasting(850), "850 ms");
  EXPECT_EQ(Lasting(59'999), "59 s");
  EXPECT_EQ(Lasting(72'000), "1m 12s");
  EXPECT_EQ(Lasting(3'600'000), "1h 00m");
  EXPECT_EQ(Lasting(86'400'000 * 2 + 3'600'000 * 5), "2d 05h");

  EXPECT_EQ(Microseconds(0.416, kPlain), "0.42 µs");
  EXPECT_EQ(Microseconds(18.31, kPlain), "18.3 µs");
  EXPECT_EQ(Microseconds(18.31, kAscii), "18.3 us");
  EXPECT_EQ(Microseconds(412, kPlain), "412 µs");
  EXPECT_EQ(Microseconds(999.6, kPlain), "1.00 ms");
  EXPECT_EQ(Microseconds(1240, kPlain), "1.24 ms");
  EXPECT_EQ(Microseconds(999'600, kPlain), "1.00 s");
  EXPECT_EQ(Microseconds(2'500'000, kPlain), "2.50 s");
}

TEST(Quantities, Addresses) {
  v1::Endpoint endpoint;
  EXPECT_EQ(AddressText(endpoint), "");
  endpoint.set_address("192.0.2.10");
  EXPECT_EQ(AddressText(endpoint), "192.0.2.10");
  endpoint.set_port(5060);
  EXPECT_EQ(AddressText(endpoint), "192.0.2.10:5060");
  endpoint.set_address("2001:db8::10");
  EXPECT_EQ(AddressText(endpoint), "[2001:db8::10]:5060");
}

TEST(Table, AlignsAndEndsNoLineInSpaces) {
  Table table({{"NAME"}, {"COUNT", Align::kRight}, {"WHY"}});
  table.AddRow({{"a"}, {"1,000"}, {""}});
  table.AddRow({{"longer"}, {"7"}, {"because"}});
  EXPECT_EQ(table.Render(kPlain),
            "NAME    COUNT  WHY\n"
            "a       1,000\n"
            "longer      7  because\n");
}

TEST(Table, ColourDoesNotShiftColumns) {
  Table table({{"A"}, {"B"}});
  table.AddRow({{"x", Paint::kRed}, {"y"}});
  EXPECT_EQ(table.Render({.colour = true}),
            "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n"
            "\x1b[31mx\x1b[0m  y\n");
}

TEST(Table, OnlyColumnsThatMayShrinkGiveWay) {
  Table table({{"ID"}, {"URI", Align::kLeft, /*may_shrink=*/true}});
  table.AddRow({{"0123456789abcdef"}, {"sip:a-very-long-name@example.org"}});
  EXPECT_EQ(table.Render({.width = 36}),
            "ID                URI\n"
            "0123456789abcdef  sip:a-very-long-n…\n");
  // Down to twelve columns, then the terminal has to wrap.
  EXPECT_EQ(table.Render({.width = 20}),
            "ID                URI\n"
            "0123456789abcdef  sip:a-very-…\n");
}

}  // namespace
}  // namespace stem::ctl
