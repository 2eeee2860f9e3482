# SPDX-License-Identifier: Apache-2.0
"""What the firewall adds to SIP messages and to single RTP packets, in a lab of its own.

RTP transit is the time between tcpdump's sight of a packet outside and inside; the same lab
without a firewall is measured first, in the same run, for comparison.
"""

import os
import time

from stemlab import peers, topology
from stemlab.conversation import Conversation
from stemlab.lab import Lab
from stemlab.pcap import Capture
from stemlab.rtp import RtpEndpoint
from stemlab.sip import Terminal
from stemlab.site import Site

# All from one source: below what the INVITE guard allows one by default (50 a second).
CALLS, CALLS_PER_SECOND = 1000, 40
TRANSIT_PACKETS = 500


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


def measure_calls(directory, say):
    """All of them; `directory`: for the lab's logs; `say`: is told what is being done."""
    Lab.reap()
    with Lab(f"bench-{os.getpid()}", directory) as lab:
        peers.Kamailio(lab)
        say("RTP through plain kernel routing")
        results = [rtp_transit(lab, "rtp_transit_without_firewall")]
        site = Site(lab)
        site.start_sm()
        site.set_user("alice", "--incoming", "accept")
        # A thousand packets a second are more than their codec makes.
        site.start_agent(media={"margin": 1000, "max_rate": "10Gbit/s", "burst": "10s"})
        say("RTP through the firewall")
        results.append(rtp_transit(lab, "rtp_transit"))
        say(f"{CALLS} calls, {CALLS_PER_SECOND} a second")
        results += signalling_delay(site)
    return results
