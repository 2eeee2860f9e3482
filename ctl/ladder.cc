// SPDX-License-Identifier: Apache-2.0
#include "ctl/ladder.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "ctl/quantities.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

constexpr size_t kNarrowestSide = 16;
constexpr size_t kReadableSide = 24;  // below this the reasons go under the arrows
constexpr size_t kWidestSide = 44;
constexpr size_t kNarrowestNote = 24;
constexpr size_t kReadableNote = 44;  // the sides do not stretch before the reasons have this
constexpr size_t kGap = 2;

// One side of the firewall in one row.
struct Arrow {
  enum class Kind {
    kNone,
    kArrives,  // towards the firewall
    kLeaves,   // away from it
    kDies,     // towards the firewall, ends at it
  };
  Kind kind = Kind::kNone;
  std::string label;
};

struct Row {
  std::string time;
  Arrow outside;
  Arrow inside;
  std::string cell;  // between the firewall's walls
  Align cell_align = Align::kLeft;
  Paint paint = Paint::kPlain;
  std::string note;
  std::string delay;
};

enum class NotePlace { kBeside, kBelow };

struct Widths {
  size_t time = 0;
  size_t side = 0;
  size_t cell = 0;
  size_t note = 0;  // 0: as long as it is
  NotePlace notes = NotePlace::kBeside;
};

std::string Offset(int64_t microseconds) {
  // A step may be a little older than the one before: it is told when it was finished.
  const char* sign = microseconds < 0 ? "-" : "";
  const int64_t us = microseconds < 0 ? -microseconds : microseconds;
  if (us < 1'000'000) return fmt::format("{}{}.{:03} ms", sign, us / 1000, us % 1000);
  const int64_t ms = us / 1000;
  if (ms < 60'000) return fmt::format("{}{}.{:03} s", sign, ms / 1000, ms % 1000);
  return fmt::format("{}{}m {:02}.{:03} s", sign, ms / 60'000, ms / 1000 % 60, ms % 1000);
}

Paint PaintOf(std::string_view verdict) {
  if (verdict == "forwarded") return Paint::kGreen;
  if (verdict == "held") return Paint::kYellow;
  if (verdict.starts_with("answered")) return Paint::kCyan;
  if (verdict == "dropped") return Paint::kRed;
  return Paint::kDim;  // absorbed: of no consequence
}

// "answered 403" to "INVITE sip:bob@example.org" -> "403 (INVITE)"
std::string AnswerLabel(std::string_view verdict, std::string_view message) {
  const std::string_view status = verdict.substr(std::string_view("answered ").size());
  return fmt::format("{} ({})", status, message.substr(0, message.find(' ')));
}

// Turns steps into rows. Remembers what is held, so that its release is drawn from the firewall on.
class Draughtsman {
 public:
  explicit Draughtsman(const Screen& screen) : screen_(screen) {}

  std::vector<Row> Draw(const google::protobuf::RepeatedPtrField<v1::LadderStep>& steps) {
    for (const v1::LadderStep& step : steps) {
      if (step.omitted_before() > 0) AddGap(step.omitted_before());
      Add(step, step.unix_us() - steps[0].unix_us());
    }
    return std::move(rows_);
  }

 private:
  static Arrow& Near(Row& row, v1::Side from) {
    return from == v1::SIDE_INSIDE ? row.inside : row.outside;
  }
  static Arrow& Far(Row& row, v1::Side from) {
    return from == v1::SIDE_INSIDE ? row.outside : row.inside;
  }

  void AddGap(uint64_t omitted) {
    Row row;
    row.time = screen_.Pick("⋮", ":");
    row.cell = fmt::format(" {} ", screen_.Pick("⋮", ":"));
    row.note = fmt::format("{} {} left out", Counted(omitted), omitted == 1 ? "step" : "steps");
    rows_.push_back(std::move(row));
  }

  void Add(const v1::LadderStep& step, int64_t offset_us) {
    const std::string& verdict = step.verdict();
    const std::string message = screen_.Safe(step.message());
    const bool answered = verdict.starts_with("answered ");
    const bool was_held = verdict == "held" ? Hold(step) : Release(step);
    Row row;
    row.time = Offset(offset_us);
    row.cell = fmt::format(" {} ", screen_.Safe(verdict));
    row.paint = PaintOf(verdict);
    row.note = screen_.Safe(step.why());
    if (step.delay_us() > 0) row.delay = Microseconds(step.delay_us(), screen_);
    if (step.from() != v1::SIDE_OUTSIDE && step.from() != v1::SIDE_INSIDE) {
      // Nothing crossed a wall: the firewall acted on its own (a timer, a pinhole).
      if (!message.empty()) {
        row.note = row.note.empty() ? message : fmt::format("{}: {}", message, row.note);
      }
      rows_.push_back(std::move(row));
      return;
    }
    if (answered) {
      AddAnswer(std::move(row), step, message, was_held);
      return;
    }
    if (!was_held) {
      Near(row, step.from()) = {verdict == "dropped" ? Arrow::Kind::kDies : Arrow::Kind::kArrives,
                                message};
    } else if (verdict == "dropped") {
      row.cell = fmt::format(" {} dropped ", screen_.Pick("✗", "x"));
    }
    if (verdict == "forwarded") {
      Far(row, step.from()) = {Arrow::Kind::kLeaves, was_held ? message : std::string()};
    }
    rows_.push_back(std::move(row));
  }

  // The request comes in, turns round at the wall, and its answer goes out below it.
  void AddAnswer(Row row, const v1::LadderStep& step, const std::string& message, bool was_held) {
    const bool inside = step.from() == v1::SIDE_INSIDE;
    if (!was_held) {
      Row request;
      request.time = std::exchange(row.time, {});
      request.paint = row.paint;
      request.cell_align = inside ? Align::kRight : Align::kLeft;
      request.cell = inside ? screen_.Pick("╭─", ".-") : screen_.Pick("─╮", "-.");
      Near(request, step.from()) = {Arrow::Kind::kArrives, message};
      rows_.push_back(std::move(request));
      row.cell_align = inside ? Align::kRight : Align::kLeft;
      row.cell = inside ? fmt::format("{}{}", row.cell, screen_.Pick("╰─", "'-"))
                        : fmt::format("{}{}", screen_.Pick("─╯", "-'"), row.cell);
    }
    Near(row, step.from()) = {Arrow::Kind::kLeaves,
                              AnswerLabel(screen_.Safe(step.verdict()), message)};
    rows_.push_back(std::move(row));
  }

  bool Hold(const v1::LadderStep& step) {
    held_.emplace_back(step.from(), step.message());
    return false;
  }

  // Whether this step ends the holding of a message; a retransmission that is absorbed does not.
  bool Release(const v1::LadderStep& step) {
    if (step.verdict() == "absorbed") return false;
    const auto found =
        std::find(held_.begin(), held_.end(), std::pair(step.from(), step.message()));
    if (found == held_.end()) return false;
    held_.erase(found);
    return true;
  }

  const Screen& screen_;
  std::vector<Row> rows_;
  std::vector<std::pair<v1::Side, std::string>> held_;
};

// The words of the reason, the delay as the last of them. A delay alone is not worth a line.
std::vector<std::string> NoteWords(const Row& row, const Screen& screen, NotePlace place) {
  std::vector<std::string> words;
  for (std::string_view rest = row.note; !rest.empty();) {
    const size_t space = std::min(rest.find(' '), rest.size());
    words.emplace_back(rest.substr(0, space));
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  if (row.delay.empty() || (words.empty() && place == NotePlace::kBelow)) return words;
  words.push_back(words.empty() ? row.delay
                                : fmt::format("{} {}", screen.Pick("·", "-"), row.delay));
  return words;
}

std::string Repeated(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

// An arrow `width` columns long, its label at the end it starts from. A label that starts at the
// firewall's wall is tied to it by a piece of the shaft.
std::string Drawn(const Arrow& arrow, size_t width, bool rightwards, const Screen& screen) {
  if (arrow.kind == Arrow::Kind::kNone) return std::string(width, ' ');
  const bool dies = arrow.kind == Arrow::Kind::kDies;
  const std::string_view shaft = screen.Pick("─", "-");
  const std::string_view head = dies         ? screen.Pick("✗", "x")
                                : rightwards ? screen.Pick("►", ">")
                                             : screen.Pick("◄", "<");
  std::string tail;
  if (!arrow.label.empty()) {
    const bool tied = arrow.kind == Arrow::Kind::kLeaves;
    const std::string tie = tied ? fmt::format("{} ", shaft) : "";
    const size_t room = width - Columns(tie) - 4;  // " ", two of shaft, head
    const std::string label = Elided(arrow.label, room, screen);
    const std::string tie_mirrored = tied ? fmt::format(" {}", shaft) : "";
    tail =
        rightwards ? fmt::format("{}{} ", tie, label) : fmt::format(" {}{}", label, tie_mirrored);
  }
  const std::string line = Repeated(shaft, width - Columns(tail) - 1);
  return rightwards ? fmt::format("{}{}{}", tail, line, head)
                    : fmt::format("{}{}{}", head, line, tail);
}

// Lines of words, each at most `width` columns unless one word is longer. `width` 0: one line.
std::vector<std::string> Wrapped(const std::vector<std::string>& words, size_t width) {
  std::vector<std::string> lines(1);
  for (const std::string& word : words) {
    const bool fits = width == 0 || Columns(lines.back()) + 1 + Columns(word) <= width;
    if (!lines.back().empty() && !fits) lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
  }
  return lines;
}

Widths Measure(const std::vector<Row>& rows, const Screen& screen) {
  Widths widths{.time = 0, .side = kNarrowestSide, .cell = Columns(" firewall ") + 2, .note = 0};
  size_t longest_note = 0;
  for (const Row& row : rows) {
    widths.time = std::max(widths.time, Columns(row.time));
    widths.cell = std::max(widths.cell, Columns(row.cell));
    for (const Arrow* arrow : {&row.outside, &row.inside}) {
      const size_t tie = arrow->kind == Arrow::Kind::kLeaves ? 2 : 0;
      widths.side = std::max(widths.side, Columns(arrow->label) + tie + 6);
    }
    const std::string note = Wrapped(NoteWords(row, screen, NotePlace::kBeside), 0).front();
    longest_note = std::max(longest_note, Columns(note));
  }
  widths.side = std::min(widths.side, kWidestSide);
  if (screen.width == 0) return widths;
  // First the sides give way to the reasons, then the reasons wrap, then they go below.
  const size_t fixed = widths.time + kGap + widths.cell + 2;
  const size_t note = kGap + std::min(longest_note, kNarrowestNote);
  const bool below = fixed + 2 * std::min(widths.side, kReadableSide) + note > screen.width;
  widths.notes = below ? NotePlace::kBelow : NotePlace::kBeside;
  const size_t beside = fixed + (below ? 0 : kGap + std::min(longest_note, kReadableNote));
  const size_t room = screen.width > beside ? (screen.width - beside) / 2 : 0;
  const size_t least = below ? kNarrowestSide : kReadableSide;
  widths.side = std::clamp(room, std::min(least, widths.side), widths.side);
  const size_t note_starts = kGap + (below ? widths.time + kGap : fixed + 2 * widths.side);
  widths.note = screen.width > note_starts ? screen.width - note_starts : 0;
  widths.note = std::max(widths.note, kNarrowestNote);
  return widths;
}

std::string WithoutTrailingSpace(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string RenderRow(const Row& row, const Widths& widths, const Screen& screen) {
  const std::string_view wall = screen.Pick("│", "|");
  const bool outside_rightwards = row.outside.kind != Arrow::Kind::kLeaves;
  const bool inside_rightwards = row.inside.kind == Arrow::Kind::kLeaves;
  const auto painted_arrow = [&](const Arrow& arrow, bool rightwards) {
    const std::string drawn = Drawn(arrow, widths.side, rightwards, screen);
    return arrow.kind == Arrow::Kind::kDies ? screen.Painted(Paint::kRed, drawn) : drawn;
  };
  const std::string first = fmt::format(
      "{}  {}{}{}{}{}", screen.Painted(Paint::kDim, Padded(row.time, widths.time, Align::kRight)),
      painted_arrow(row.outside, outside_rightwards), wall,
      screen.Painted(row.paint, Padded(row.cell, widths.cell, row.cell_align)), wall,
      painted_arrow(row.inside, inside_rightwards));
  const std::string beside =
      fmt::format("{}{}{}{}{}", std::string(widths.time + kGap + widths.side, ' '), wall,
                  std::string(widths.cell, ' '), wall, std::string(widths.side, ' '));
  const std::string below(widths.time + kGap, ' ');
  std::vector<std::string> notes = Wrapped(NoteWords(row, screen, widths.notes), widths.note);
  const bool notes_below = widths.notes == NotePlace::kBelow;
  if (notes_below) notes.insert(notes.begin(), "");
  std::string out;
  for (size_t i = 0; i < notes.size(); ++i) {
    if (i > 0 && notes[i].empty()) continue;
    std::string line = i == 0 ? first : notes_below ? below : beside;
    if (!notes[i].empty()) {
      line += std::string(kGap, ' ');
      line += notes_below ? screen.Painted(Paint::kDim, notes[i]) : notes[i];
    }
    out += WithoutTrailingSpace(std::move(line)) + '\n';
  }
  return out;
}

}  // namespace

std::string RenderLadder(const google::protobuf::RepeatedPtrField<v1::LadderStep>& steps,
                         const Screen& screen) {
  if (steps.empty()) return {};
  const std::vector<Row> rows = Draughtsman(screen).Draw(steps);
  const Widths widths = Measure(rows, screen);
  const std::string margin(widths.time + kGap, ' ');
  const std::string_view line = screen.Pick("─", "-");

  const std::string title = fmt::format("{} firewall ", line);
  std::string out =
      fmt::format("{}{}{}{}{}{}{}\n", margin,
                  screen.Painted(Paint::kBold, Padded("outside", widths.side, Align::kLeft)),
                  screen.Pick("┌", "+"), title, Repeated(line, widths.cell - Columns(title)),
                  screen.Pick("┐", "+"),
                  screen.Painted(Paint::kBold, Padded("inside", widths.side, Align::kRight)));
  for (const Row& row : rows) out += RenderRow(row, widths, screen);
  out += fmt::format("{}{}{}{}{}\n", margin, std::string(widths.side, ' '), screen.Pick("└", "+"),
                     Repeated(line, widths.cell), screen.Pick("┘", "+"));
  return out;
}

}  // namespace stem::ctl
