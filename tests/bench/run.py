#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what the firewall adds, in a lab of its own: to SIP messages, and to RTP packets.

Prints a table and writes build/bench/results.json: one object for each measure, with name, count,
p50_us, p99_us and max_us. RTP transit is the time between tcpdump's sight of a packet outside and
inside; the same lab without a firewall is measured first, in the same run, for comparison.
"""

import json
import os
import pathlib
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
sys.dont_write_bytecode = True

from stemlab import peers, topology  # noqa: E402
from stemlab.conversation import Conversation  # noqa: E402
from stemlab.lab import Lab  # noqa: E402
from stemlab.pcap import Capture  # noqa: E402
from stemlab.rtp import RtpEndpoint  # noqa: E402
from stemlab.sip import Terminal  # noqa: E402
from stemlab.site import Site, binaries_missing  # noqa: E402

RESULTS = ROOT / "build/bench/results.json"
CALLS, CALLS_PER_SECOND = 1000, 100
TRANSIT_PACKETS = 500


def say(text):
    print(f"        {text}", flush=True)


def measure(name, microseconds):
    """One result from a list of single measurements."""
    ordered = sorted(microseconds)
    return {
        "name": name,
        "count": len(ordered),
        "p50_us": ordered[len(ordered) // 2],
        "p99_us": ordered[len(ordered) * 99 // 100],
        "max_us": ordered[-1],
    }


def rtp_transit(lab, name):
    """A conversation's RTP, outside to inside: time on the way through the firewall's host."""
    outside, inside = Capture(lab, "outside"), Capture(lab, "inside")
    with (
        Terminal(lab, topology.CALLER, "zoe") as caller,
        Terminal(lab, topology.ALICE, "alice") as callee,
        RtpEndpoint(lab, topology.CALLER, 4000) as near,
        RtpEndpoint(lab, topology.ALICE, 30000) as far,
    ):
        talk = Conversation(caller, callee, near, far)
        # 20 ms a packet is long: many at once would measure the queue, so one after the other.
        for _ in range(TRANSIT_PACKETS):
            near.send(talk.out.remote_media)
            time.sleep(0.001)
        talk.pause()
        talk.hang_up()
        source = near.address
    seen = [
        {p.sequence: p.time for p in capture.stop() if p.is_rtp and p.source == source}
        for capture in (outside, inside)
    ]
    # The first few find out who the neighbour is.
    times = [(seen[1][s] - seen[0][s]) * 1e6 for s in list(seen[0])[5:] if s in seen[1]]
    return measure(name, times)


def signalling_delay(site):
    """Complete calls by SIPp, at a steady rate; the agent's own measurement of each message."""
    lab = site.lab
    # A late retransmission is a new call to SIPp's callee: it must not stop at the last one.
    peers.sipp_callee(lab, topology.ALICE, calls=10 * CALLS)
    load = peers.sipp_caller(
        lab, topology.CALLER, "alice", "caller_brief", "-r", CALLS_PER_SECOND, calls=CALLS
    )
    load.wait(CALLS / CALLS_PER_SECOND + 60)
    names = {
        "without SM decision": "sip_added_delay",
        "with SM decision": "sip_added_delay_with_decision",
    }
    for delay in site.status()["delays"]:
        yield {
            "name": names[delay["name"]],
            "count": int(delay["count"]),
            "p50_us": delay["p50_us"],
            "p99_us": delay["p99_us"],
            "max_us": delay["max_us"],
        }


def main():
    missing = binaries_missing()
    if missing:
        print(f"bench: not built: {', '.join(missing)}; ./run build", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    Lab.reap()
    with Lab(f"bench-{os.getpid()}", ROOT / "build/bench/lab") as lab:
        peers.Kamailio(lab)
        say("RTP through plain kernel routing")
        results = [rtp_transit(lab, "rtp_transit_without_firewall")]
        site = Site(lab)
        site.start_sm()
        site.set_user("alice", "--incoming", "accept")
        site.start_agent()
        say("RTP through the firewall")
        results.append(rtp_transit(lab, "rtp_transit"))
        say(f"{CALLS} calls, {CALLS_PER_SECOND} a second")
        results += signalling_delay(site)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    say(f"{'measure':32} {'count':>7} {'p50 us':>9} {'p99 us':>9} {'max us':>9}")
    for r in results:
        say(
            f"{r['name']:32} {r['count']:7}"
            f" {r['p50_us']:9.1f} {r['p99_us']:9.1f} {r['max_us']:9.1f}"
        )
    say(f"written to {RESULTS.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
