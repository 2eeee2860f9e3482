#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration: real calls through the firewall in a lab of its own, every claim held against
tcpdump on both sides and the firewall's counters. Exits 1, naming what does not hold, if any."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
sys.dont_write_bytecode = True

from stemlab import peers, topology  # noqa: E402
from stemlab.lab import Lab  # noqa: E402
from stemlab.pcap import Capture  # noqa: E402
from stemlab.rtp import RtpEndpoint  # noqa: E402
from stemlab.site import Site, binaries_missing  # noqa: E402
from stemlab.waiting import eventually  # noqa: E402

DIRECTORY = ROOT / "build/demo"
TALK_MS = 5000
UNINVITED, INTRUDING, LATE = 500, 200, 100  # packets
CALLEE_RTP_PORT, LATE_RTP_PORT = 30000, 4000
BEGAN = time.monotonic()

_COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
BOLD, RED, GREEN, DIM, PLAIN = (
    ("\033[1m", "\033[31m", "\033[32m", "\033[2m", "\033[0m") if _COLOUR else ("",) * 5
)


def heading(text):
    print(f"\n{BOLD}[{time.monotonic() - BEGAN:5.1f}s] {text}{PLAIN}", flush=True)


def note(text):
    print(f"         {text}", flush=True)


def show(site, *arguments):
    """Runs stemctl as a person would, and shows what it says."""
    print(f"{DIM}         $ stemctl {' '.join(arguments)}{PLAIN}")
    said = site.stemctl_run("--color", "always" if _COLOUR else "never", *arguments).stdout
    for line in said.rstrip().splitlines():
        print(f"         {line}")
    sys.stdout.flush()


class Claims:
    """What the demonstration says it proves, and what was seen."""

    def __init__(self):
        self._rows = []

    def check(self, text, holds, outside="", inside="", firewall=""):
        """outside, inside: packets tcpdump saw there; firewall: what it counted itself."""
        self._rows.append((bool(holds), text, str(outside), str(inside), str(firewall)))
        if not holds:
            seen = f"outside {outside}, inside {inside}, firewall {firewall}"
            note(f"{RED}does not hold: {text} ({seen}){PLAIN}")

    def report(self):
        """Prints the table; True when every claim holds."""
        heading("What was proven")
        head = ("", "claim", "outside", "inside", "firewall")
        widths = [max(len(row[i]) for row in [head, *self._rows]) for i in range(1, 5)]
        columns = "  ".join(f"{{:{'<' if i in (0, 3) else '>'}{w}}}" for i, w in enumerate(widths))
        note(f"{BOLD}     " + columns.format(*head[1:]) + PLAIN)
        for holds, *row in self._rows:
            mark = f"{GREEN}ok  {PLAIN}" if holds else f"{RED}FAIL{PLAIN}"
            note(f"{mark} " + columns.format(*row))
        note(f"{DIM}outside, inside: packets tcpdump saw there; firewall: its own count{PLAIN}")
        return all(row[0] for row in self._rows)


class Witnesses:
    """tcpdump on both sides, for one act of the demonstration."""

    def __init__(self, lab):
        self._captures = [Capture(lab, "outside"), Capture(lab, "inside")]
        self._outside = self._inside = None

    def stop(self):
        self._outside, self._inside = (capture.stop() for capture in self._captures)

    def rtp(self, source, destination, source_port=None):
        """RTP packets seen from one address (and port) to another address: (outside, inside)."""
        return tuple(
            len(
                [
                    p
                    for p in packets
                    if p.is_rtp
                    and (p.source, p.destination) == (source, destination)
                    and source_port in (None, p.source_port)
                ]
            )
            for packets in (self._outside, self._inside)
        )

    def sip(self, start):
        """SIP messages whose first line starts so: (outside, inside)."""
        return tuple(
            len([p for p in packets if (p.sip_start_line or "").startswith(start)])
            for packets in (self._outside, self._inside)
        )


def a_call_and_its_media(site, claims):
    lab, caller, callee = site.lab, topology.CALLER, topology.ALICE
    heading("zoe, outside, calls alice: SIPp -> firewall -> Kamailio -> SIPp, audio both ways")
    witnesses = Witnesses(lab)
    before = site.counters()
    answering = peers.sipp_callee(lab, callee, media_port=CALLEE_RTP_PORT)
    calling = peers.sipp_caller(lab, caller, "alice", talk_ms=TALK_MS)
    call = eventually(
        lambda: next((c for c in site.calls() if c["state"] == "established"), None),
        "the call is up",
    )
    eventually(
        lambda: len([p for p in site.pinholes() if int(p["packets"]) > 25]) == 2, "audio both ways"
    )
    show(site, "calls", "show", call["id"])
    show(site, "pinholes")
    claims.check("the call has its pinholes: RTP and RTCP, both ways", len(site.pinholes()) == 4,
                 firewall=f"{len(site.pinholes())} pinholes")  # fmt: skip

    heading("Meanwhile an attacker sends RTP to ports nobody negotiated, and into alice's call")
    note(f"{UNINVITED} packets uninvited, {INTRUDING} intruding")
    with RtpEndpoint(lab, topology.ATTACKER, 5555) as attacker:
        attacked = site.counters()
        for port in range(31000, 31000 + UNINVITED):
            attacker.send((callee.v4, port))
        site.wait_until_counted(attacked, ("outside", "no_pinhole"), UNINVITED)
        attacker.send((callee.v4, CALLEE_RTP_PORT), INTRUDING)
        site.wait_until_counted(attacked, ("outside", "wrong_peer"), INTRUDING)
    show(site, "counters")

    heading("zoe hangs up")
    calling.wait()
    answering.wait()
    site.wait_until_no_pinholes()
    show(site, "pinholes")
    with RtpEndpoint(lab, caller, LATE_RTP_PORT) as late:
        hung_up = site.counters()
        late.send((callee.v4, CALLEE_RTP_PORT), LATE)
        site.wait_until_counted(hung_up, ("outside", "no_pinhole"), LATE)
        dropped_late = site.counted(hung_up)["outside", "no_pinhole"]
    counted = site.counted(before)
    witnesses.stop()

    def media(side):
        """Media packets the firewall let through from that side."""
        return sum(counted.get((side, name), 0) for name in ("media_relayed", "media_to_stack"))

    late_audio = witnesses.rtp(caller.v4, callee.v4, LATE_RTP_PORT)
    there = tuple(n - l for n, l in zip(witnesses.rtp(caller.v4, callee.v4), late_audio))
    back = witnesses.rtp(callee.v4, caller.v4)
    expected = TALK_MS / 20 * 0.9  # 20 ms a packet; a busy machine may skip some
    for text, seen, let_through in (
        ("audio zoe -> alice: every packet passed", there, media("outside")),
        ("audio alice -> zoe: every packet passed", back, media("inside")),
    ):
        holds = seen[0] >= expected and seen[0] == seen[1] == let_through
        claims.check(text, holds, *seen, f"{let_through} media packets")
    attack = witnesses.rtp(topology.ATTACKER.v4, callee.v4)
    dropped = counted["outside", "no_pinhole"] - dropped_late, counted["outside", "wrong_peer"]
    claims.check(
        "uninvited and intruding audio: none passed",
        attack == (UNINVITED + INTRUDING, 0) and dropped == (UNINVITED, INTRUDING),
        *attack,
        f"{dropped[0]} no_pinhole, {dropped[1]} wrong_peer",
    )
    claims.check(
        "audio after the hang-up: none passed, no pinhole left",
        late_audio == (LATE, 0) and dropped_late == LATE and not site.pinholes(),
        *late_audio,
        f"{dropped_late} no_pinhole",
    )


def a_refused_call(site, claims):
    heading("zoe calls carol, whose profile refuses calls")
    show(site, "user", "show", "carol")
    witnesses, before = Witnesses(site.lab), site.counters()
    peers.sipp_caller(
        site.lab, topology.CALLER, "carol", "caller_refused", replace={"@STATUS@": "403"}
    ).wait()
    witnesses.stop()
    refused = site.counted(before).get(("outside", "sip_refused_by_decision"), 0)
    invites, answers = witnesses.sip("INVITE"), witnesses.sip("SIP/2.0 403")
    claims.check(
        "carol refuses: 403 from the firewall, her proxy never hears of it",
        answers == (1, 0) and invites == (1, 0) and refused == 1,
        f"{invites[0]} INVITE",
        f"{invites[1]} INVITE",
        f"{refused} sip_refused_by_decision",
    )


def a_forwarded_call(site, claims):
    heading("zoe calls dave, who forwards to erin")
    witnesses = Witnesses(site.lab)
    answering = peers.sipp_callee(site.lab, topology.ERIN)
    peers.sipp_caller(site.lab, topology.CALLER, "dave", "caller_forwarded", talk_ms=1000).wait()
    answering.wait()
    site.wait_until_no_pinholes()
    witnesses.stop()
    talk = witnesses.rtp(topology.CALLER.v4, topology.ERIN.v4)
    ended = site.calls(ended=True)
    claims.check("dave forwards: 302, and zoe talks to erin",
                 witnesses.sip("SIP/2.0 302") == (1, 0) and talk[0] == talk[1] >= 40,
                 talk[0], talk[1], f"{len(ended)} calls ended")  # fmt: skip


def a_call_from_a_spam_source(site, claims):
    heading(f"A call to alice from {topology.SPAMMER.v4}, which is on her spam list")
    witnesses = Witnesses(site.lab)
    peers.sipp_caller(
        site.lab, topology.SPAMMER, "alice", "caller_refused", caller="bot@spam.example",
        replace={"@STATUS@": "403"},
    ).wait()  # fmt: skip
    witnesses.stop()
    show(site, "spam", "list")
    hits = sum(int(entry["hits"]) for entry in site.stemctl("spam", "list")["entries"])
    claims.check("spam: refused although alice accepts calls",
                 witnesses.sip("INVITE") == (1, 0) and hits == 1,
                 f"{witnesses.sip('INVITE')[0]} INVITE", f"{witnesses.sip('INVITE')[1]} INVITE",
                 f"{hits} hit")  # fmt: skip


def prepare(lab):
    heading("A lab in three network namespaces: outside - firewall - inside")
    for side, people in (
        (
            "outside",
            {"zoe": topology.CALLER, "attacker": topology.ATTACKER, "spammer": topology.SPAMMER},
        ),
        (
            "inside",
            {
                "Kamailio": topology.PROXY,
                "alice": topology.ALICE,
                "erin": topology.ERIN,
                "security manager": topology.SM,
            },
        ),
    ):
        note(f"{side:8}" + ", ".join(f"{name} {host.v4}" for name, host in people.items()))
    peers.Kamailio(lab)
    heading("Certificates, the security manager with its users, and the firewall")
    site = Site(lab)
    site.start_sm()
    site.set_user("alice", "--incoming", "accept")
    site.set_user("erin", "--incoming", "accept")
    site.set_user("carol", "--incoming", "refuse")
    site.set_user("dave", "--incoming", "forward", "--forward-to", topology.uri("erin"))
    site.stemctl_run("spam", "add", "--prefix", f"{topology.SPAMMER.v4}/32", "--user", "alice")
    site.start_agent()
    show(site, "status")
    return site


def left_behind(name):
    """What this demonstration has left on the machine."""
    places = [*pathlib.Path("/run/netns").glob(f"stem-{name}-*")]
    places += [pathlib.Path("/run/stem") / name, pathlib.Path("/sys/fs/bpf/stem") / name]
    return [str(place) for place in places if place.exists()]


def main():
    missing = binaries_missing()
    if missing:
        print(f"demo: not built: {', '.join(missing)}; ./run build", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    Lab.reap()
    claims, name = Claims(), f"demo-{os.getpid()}"
    try:
        with Lab(name, DIRECTORY) as lab:
            site = prepare(lab)
            for act in (
                a_call_and_its_media,
                a_refused_call,
                a_forwarded_call,
                a_call_from_a_spam_source,
            ):
                act(site, claims)
            heading("The firewall stops and leaves the kernel as it was")
            stopped = site.agent.stop() == 0 and not lab.pin_directory.exists()
            claims.check(
                "SIGTERM: XDP detached, nothing pinned", stopped, firewall="on_exit: remove"
            )
        rest = left_behind(name)
        claims.check("no namespace, pin or process left behind", not rest, firewall=" ".join(rest))
    except (AssertionError, OSError, KeyError, subprocess.SubprocessError) as error:
        claims.report()
        print(f"\n{RED}{BOLD}demo: failed:{PLAIN} {error or type(error).__name__}", file=sys.stderr)
        print(f"demo: logs and captures are in {DIRECTORY}", file=sys.stderr)
        return 1
    if not claims.report():
        print(f"\n{RED}{BOLD}demo: a claim does not hold{PLAIN}", file=sys.stderr)
        print(f"demo: logs and captures are in {DIRECTORY}", file=sys.stderr)
        return 1
    print(f"\n{GREEN}{BOLD}All of it happened, in {time.monotonic() - BEGAN:.0f} seconds.{PLAIN}")
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
