# SPDX-License-Identifier: Apache-2.0
"""The bench's results as people read them, each beside what it is to reach."""

import operator
import os

_COMPARE = {">=": operator.ge, "<=": operator.le}

# What a measure is to reach: field, comparison, value (or the name of another field).
TARGETS = {
    "rtp_relay_64": [("vs_nftables", ">=", 3.5), ("vs_bare", "<=", 1.5)],
    "rtp_relay": [("vs_nftables", ">=", 3.5), ("vs_bare", "<=", 1.5)],
    "rtp_relay_1m": [("vs_rtp_relay", ">=", 0.7)],
    "rtp_unknown": [("vs_nftables", ">=", 3)],
    "syn_one": [("vs_nftables", ">=", 3)],
    "syn_spoofed": [("vs_nftables", ">=", 3), ("vs_one", ">=", 0.8)],
    "invite_one": [("mpps", ">=", 2)],
    "invite_spoofed": [("mpps", ">=", 2), ("vs_one", ">=", 0.8)],
    "rules_10000": [("vs_rules_10", "<=", 1.5)],
    "policing_accuracy": [
        ("wrong_cases", "<=", 0),
        ("lowest_of_allowed", ">=", 0.99),
        (
            "highest_of_allowed",
            "<=",
            1.001,
        ),  # frames are stamped some 10 us before they are policed
    ],
    "goodput_under_flood": [("media_lost", "<=", 0.001)],
    "verifier_stem_root": [("instructions", "<=", "ceiling")],
    "verifier_stem_pipeline": [("instructions", "<=", "ceiling")],
}

# Columns of the speed table: field, heading, format.
_SPEED = [
    ("mpps", "Mpps", "{:.3f}"),
    ("ns", "ns", "{:.0f}"),
    ("net_ns", "net ns", "{:.0f}"),
    ("vs_nftables", "x nft", "{:.2f}"),
    ("vs_nftables_net", "net x nft", "{:.2f}"),
    ("vs_bare", "/ bare", "{:.2f}"),
    ("vs_bare_net", "net / bare", "{:.2f}"),
]
_DELAY = [
    ("count", "count", "{}"),
    ("p50_us", "p50 us", "{:.1f}"),
    ("p99_us", "p99 us", "{:.1f}"),
    ("max_us", "max us", "{:.1f}"),
]


def wants_colour(stream):
    return stream.isatty() and not os.environ.get("NO_COLOR")


def judged(result):
    """What the measure is to reach: a list of (text, whether it did)."""
    outcome = []
    for field, comparison, value in TARGETS.get(result["name"], []):
        limit = result[value] if isinstance(value, str) else value
        if field in result:
            text = f"{field} {result[field]:g} {comparison} {limit:g}"
            outcome.append((text, _COMPARE[comparison](result[field], limit)))
    return outcome


def _target_text(result, colour):
    green, red, plain = ("\x1b[32m", "\x1b[31m", "\x1b[0m") if colour else ("", "", "")
    return ", ".join(
        f"{green}✓{plain} {text}" if reached else f"{red}✗{plain} {text}"
        for text, reached in judged(result)
    )


def _row(result, columns):
    cells = [form.format(result[key]) if key in result else "" for key, _, form in columns]
    return f"{result['name']:30}" + "".join(f"{cell:>11}" for cell in cells)


def _head(columns):
    return f"{'measure':30}" + "".join(f"{heading:>11}" for _, heading, _ in columns)


def lines(results, colour):
    """The tables, line by line: speeds with their targets, then delays."""
    speeds = [r for r in results if "p50_us" not in r]
    delays = [r for r in results if "p50_us" in r]
    if speeds:
        yield _head(_SPEED) + "  to reach"
        for result in speeds:
            yield f"{_row(result, _SPEED)}  {_target_text(result, colour)}".rstrip()
            yield from (f"    wrong: {case}" for case in result.get("wrong", []))
    if delays:
        yield _head(_DELAY)
        yield from (_row(result, _DELAY) for result in delays)
