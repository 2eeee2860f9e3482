# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests stand on: one lab for the run, a fresh agent for each test."""

import os
import pathlib
import shutil
import signal
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from stemlab import peers, site, topology  # noqa: E402
from stemlab.conversation import Conversation  # noqa: E402
from stemlab.lab import Lab  # noqa: E402
from stemlab.pcap import Capture  # noqa: E402
from stemlab.rtp import RtpEndpoint  # noqa: E402
from stemlab.sip import Terminal  # noqa: E402

RUNS = topology.ROOT / "build/e2e"
CALLER_RTP_PORT, CALLEE_RTP_PORT = 4000, 30000


def pytest_configure(config):
    config.addinivalue_line("markers", "agent(**changes): configuration of the test's agent")
    config.addinivalue_line("markers", "any_kernel: tests/kernels runs it on other kernels, too")


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests need root, for network namespaces", returncode=1)

    # A `kill` unwinds like a Ctrl-C: fixtures are torn down, the lab goes.
    def terminated(number, frame):
        signal.signal(number, signal.SIG_IGN)
        pytest.exit("terminated", returncode=128 + number)

    signal.signal(signal.SIGTERM, terminated)
    signal.signal(signal.SIGHUP, terminated)
    Lab.reap()


@pytest.fixture(scope="session")
def lab():
    """A lab with its proxy running, no firewall yet."""
    name = f"e2e-{os.getpid()}"
    for old in RUNS.glob("*"):
        if not (pathlib.Path("/run/stem") / old.name).exists():
            shutil.rmtree(old)
    with Lab(name, RUNS / name) as made:
        made.kamailio = peers.Kamailio(made)
        yield made


@pytest.fixture(scope="session")
def session_site(lab):
    missing = site.binaries_missing()
    if missing:
        pytest.fail(f"not built: {', '.join(missing)} in {site.BINARIES}", pytrace=False)
    made = site.Site(lab)
    made.start_sm()
    for user in ("alice", "bob", "erin"):
        made.set_user(user, "--incoming", "accept")
    made.set_user("carol", "--incoming", "refuse")
    made.set_user("dave", "--incoming", "forward", "--forward-to", topology.uri("erin"))
    made.stemctl_run("spam", "add", "--uri", "sip:bot@spam.example")
    made.stemctl_run("spam", "add", "--domain", "junk.example")
    made.stemctl_run("spam", "add", "--prefix", f"{topology.SPAMMER.v4}/32")
    return made


@pytest.fixture
def firewall(session_site, request):
    """The site with its security manager and a fresh agent, configured by @pytest.mark.agent(...).
    No call, no pinhole, all counters zero."""
    if not session_site.sm.running:
        session_site.start_sm()
    marker = request.node.get_closest_marker("agent")
    before = list(session_site.lab.services)
    try:
        session_site.start_agent(**(marker.kwargs if marker else {}))
        yield session_site
    finally:
        session_site.stop()
        session_site.lab.end_all_but([*before, session_site.sm])


@pytest.fixture
def terminal(lab):
    """Makes Terminals that are closed with the test."""
    yield from _closing(lambda *args, **kwargs: Terminal(lab, *args, **kwargs))


@pytest.fixture
def rtp(lab):
    """Makes RtpEndpoints that are closed with the test."""
    yield from _closing(lambda *args, **kwargs: RtpEndpoint(lab, *args, **kwargs))


@pytest.fixture
def parties(terminal, rtp):
    """Makes the four endpoints of a call: caller, callee, and their RTP."""

    def make(user="alice", caller=topology.CALLER, family=4):
        return (
            terminal(caller, "zoe", family=family),
            terminal(topology.USERS[user], user, family=family),
            rtp(caller, CALLER_RTP_PORT, family),
            rtp(topology.USERS[user], CALLEE_RTP_PORT, family),
        )

    return make


@pytest.fixture
def converse(parties):
    """Makes a Conversation: an answered call with RTP running both ways."""
    return lambda user="alice", **kwargs: Conversation(*parties(user, **kwargs), user)


@pytest.fixture
def captures(lab):
    """tcpdump on both end hosts' wires: (outside, inside)."""
    both = Capture(lab, "outside"), Capture(lab, "inside")
    yield both
    for capture in both:
        capture.kill()


def _closing(make):
    made = []

    def maker(*args, **kwargs):
        made.append(make(*args, **kwargs))
        return made[-1]

    yield maker
    for thing in made:
        thing.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the last words of the programs that spoke during it."""
    began = time.time() - call.duration
    report = (yield).get_result()
    if report.failed:
        for log in sorted(RUNS.glob("*/*.log")):
            lines = log.read_text(errors="replace").splitlines()[-40:]
            if lines and log.stat().st_mtime >= began and not log.name.startswith("capture"):
                report.sections.append((f"end of {log}", "\n".join(lines)))
