# SPDX-License-Identifier: Apache-2.0
"""The lab itself, without a firewall: what the other tests rest on, and that it leaves nothing."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest
from stemlab import peers, topology
from stemlab.lab import Lab
from stemlab.waiting import eventually

LAB_SCRIPT = topology.ROOT / "vagrant/lab/lab.sh"


def traces(name):
    """What a lab of that name has left on this machine."""
    found = [str(p) for p in pathlib.Path("/run/netns").glob(f"stem-{name}-*")]
    found += [
        str(p)
        for p in (pathlib.Path("/run/stem") / name, pathlib.Path("/sys/fs/bpf/stem") / name)
        if p.exists()
    ]
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if f"STEM_TEST_LAB={name}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(f"process {process.name}")
        except OSError:
            continue  # it ended while we looked
    return found


@pytest.mark.parametrize("family", [4, 6])
def test_a_call_crosses_plain_routing(lab, converse, captures, family):
    """Without a firewall the peers understand each other and no checksum is wrong."""
    talk = converse(family=family)
    talk.wait_for_media()
    talk.pause()
    talk.hang_up()
    for capture in captures:
        packets = capture.stop()
        assert all(p.checksum_ok for p in packets)
        assert [
            p.sequence for p in packets if p.is_rtp and p.source == talk.caller_rtp.address
        ] == talk.caller_rtp.sent
        assert [
            p.sequence for p in packets if p.is_rtp and p.source == talk.callee_rtp.address
        ] == talk.callee_rtp.sent


def test_uninvited_rtp_arrives_without_a_firewall(lab, rtp):
    """So that a test in which it does not arrive proves the firewall, not the lab."""
    attacker, victim = rtp(topology.ATTACKER, 5555), rtp(topology.ALICE, 30000)
    attacker.send((victim.address, victim.port), 10)
    victim.wait_for_all(attacker)


def test_sipp_talks_to_sipp(lab):
    callee = peers.sipp_callee(lab, topology.BOB)
    peers.sipp_caller(lab, topology.CALLER, "bob").wait()
    callee.wait()


def test_labs_stand_side_by_side(lab, tmp_path):
    with Lab(f"{lab.name}-b", tmp_path) as other:
        for one in (lab, other):
            one.run("outside", ["ping", "-c1", "-W2", topology.ALICE.v4])
            one.run("outside", ["ping", "-c1", "-W2", topology.ALICE.v6])
    assert traces(other.name) == []
    lab.run("outside", ["ping", "-c1", "-W2", topology.ALICE.v4])


def test_two_queues_each_way(lab):
    for side, interface in (
        ("outside", "eth0"),
        ("firewall", "outside0"),
        ("firewall", "inside0"),
        ("inside", "eth0"),
    ):
        shown = lab.run(side, ["ethtool", "-l", interface]).stdout.split(
            "Current hardware settings"
        )[1]
        assert "RX:\t\t2" in shown and "TX:\t\t2" in shown


def test_down_twice_and_of_a_half_built_lab(lab):
    name = f"{lab.name}-c"
    subprocess.run([LAB_SCRIPT, "up", name], check=True, capture_output=True)
    subprocess.run(["ip", "netns", "delete", f"stem-{name}-inside"], check=True)
    subprocess.run([LAB_SCRIPT, "down", name], check=True, capture_output=True)
    subprocess.run([LAB_SCRIPT, "down", name], check=True, capture_output=True)
    assert traces(name) == []


def test_unknown_commands_are_usage_errors():
    for arguments in (
        ["nonsense"],
        ["lab", "nonsense"],
        ["build", "nonsense"],
        ["lab", "up", "Bad Name"],
    ):
        done = subprocess.run([topology.ROOT / "run", *arguments], capture_output=True, text=True)
        assert done.returncode == 2, arguments
        assert done.stderr and not done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing(lab, tmp_path, number):
    """A test run that is interrupted in the middle of a test takes its lab with it; after SIGKILL
    the lab's guard does."""
    here = pathlib.Path(__file__).parent
    # The real conftest, whose signal handling is what is tried, without its files.
    shutil.copy(here / "conftest.py", tmp_path)
    (tmp_path / "stemlab").symlink_to(here / "stemlab")
    (tmp_path / "test_endless.py").write_text(
        textwrap.dedent(
            """
            import os, time
            from stemlab import peers
            from stemlab.lab import Lab

            def test_endless(tmp_path):
                with Lab(os.environ["STEM_TEST_LAB"], tmp_path) as lab:
                    peers.Kamailio(lab)
                    print("in the test", flush=True)
                    while True:
                        time.sleep(0.01)
            """
        )
    )
    name = f"{lab.name}-d"
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"STEM_TEST_LAB": name},
    )
    for line in run.stdout:
        if "in the test" in line:
            break
    else:
        pytest.fail("the inner test run ended by itself")
    assert traces(name)
    run.send_signal(number)
    rest = run.stdout.read()
    assert run.wait(20) != 0, rest
    eventually(lambda: not traces(name), lambda: f"nothing is left: {traces(name)}", 10)
