# SPDX-License-Identifier: Apache-2.0
"""The security manager is away, slow, or spoken to by somebody who should not: calls follow
sm_down, and only the right certificate over TLS 1.3 gets an answer."""

import re
import secrets
import socket
import subprocess
import time

import pytest
from stemlab import peers, topology
from stemlab.site import BINARIES, SM_ENDPOINT
from stemlab.waiting import eventually


@pytest.fixture
def sm_away(firewall):
    """The firewall has known its security manager; now that is dead."""
    firewall.sm.kill()
    return firewall


def call_is_let_in(site, terminal, user):
    """Whether a call to that user rings at his terminal; refused with 503 otherwise."""
    caller, callee = terminal(topology.CALLER, "zoe"), terminal(topology.USERS[user], user)
    call = caller.invite(user, None)
    first = caller.wait_for(lambda m: m.status is not None, "any answer")
    if first.status == 503:
        call.acknowledge_failure(first)
        callee.hears_nothing(lambda message: True, "a call", 0.2)
        return False
    incoming = callee.wait_for_invite()
    incoming.respond(486, "Busy Here")
    call.wait_failure(486)
    return True


def with_sm_down(mode, user, let_in):
    """A case of the test below: alice accepts calls, carol refuses them."""
    agent = pytest.mark.agent(security_manager={"sm_down": mode})
    return pytest.param(user, let_in, marks=agent, id=f"{mode}, {user}")


@pytest.mark.parametrize(
    "user, let_in",
    [
        with_sm_down("refuse", "alice", False),
        with_sm_down("known_users", "alice", True),
        with_sm_down("known_users", "carol", False),
        with_sm_down("accept", "carol", True),
    ],
)  # fmt: skip
def test_new_calls_follow_sm_down(sm_away, terminal, user, let_in):
    assert call_is_let_in(sm_away, terminal, user) == let_in


def test_calls_in_progress_go_on_without_sm(firewall, converse):
    talk = converse()
    talk.wait_for_media(10)
    firewall.sm.kill()
    talk.wait_for_media(25)
    talk.pause()
    talk.hang_up()
    firewall.wait_until_no_pinholes()


def test_a_restarted_sm_is_found_again(sm_away, terminal):
    eventually(
        lambda: not sm_away.status()["sm_connected"], "the agent notices that the SM is gone"
    )
    sm_away.start_sm()
    eventually(lambda: sm_away.status()["sm_connected"], "the agent finds the new SM", 10)
    assert call_is_let_in(sm_away, terminal, "alice")


@pytest.mark.agent(security_manager={"deadline": "3s"})
def test_a_slow_sm_holds_only_its_own_call(firewall, terminal):
    """While an INVITE is held, other signalling on the same 5-tuple crosses at once; the INVITE is
    answered when the deadline has passed."""
    caller = terminal(topology.CALLER, "zoe")
    before = firewall.counters()
    firewall.sm.pause()
    try:
        held = caller.invite("alice", None)
        firewall.wait_until_counted(before, ("outside", "sip_held_for_decision"), 1)
        for _ in range(5):
            options_through(caller)
        held.wait_failure(503)
    finally:
        firewall.sm.resume()
    assert [message.status for message in caller.heard] == [200] * 5 + [503]


def options_through(caller):
    """An OPTIONS to the proxy and its answer."""
    ping = caller.outside_dialog("OPTIONS", f"sip:{topology.SIP_DOMAIN}")
    caller.wait_for(
        lambda m: m.status == 200 and m.get("call-id") == ping.get("call-id"), "200 to OPTIONS", 0.5
    )


@pytest.mark.agent(security_manager={"deadline": "5s"})
def test_retransmissions_of_a_held_invite_are_absorbed(firewall, terminal):
    """However often the caller repeats the INVITE, it goes on once."""
    caller, callee = terminal(topology.CALLER, "zoe"), terminal(topology.ALICE, "alice")
    before = firewall.counters()
    firewall.sm.pause()
    try:
        call = caller.invite("alice", None)
        for _ in range(3):
            call.retransmit()
        firewall.wait_until_counted(before, ("outside", "sip_absorbed"), 3)
    finally:
        firewall.sm.resume()
    incoming = callee.wait_for_invite()
    incoming.respond(486, "Busy Here")
    call.wait_failure(486)
    invites = [m for m in callee.heard if m.status is None and m.method == "INVITE"]
    assert len(invites) == 1


# Who may speak to it.


def s_client(lab, *arguments):
    """openssl s_client's words on an attempt to connect from the firewall."""
    host, port = topology.SM.v4, topology.SM_PORT
    done = lab.run(
        "firewall",
        ["openssl", "s_client", "-connect", f"{host}:{port}", "-alpn", "h2", *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout + done.stderr


def identity(site, directory):
    tls = site.tls(directory)
    return ["-cert", tls["certificate"], "-key", tls["key"], "-CAfile", tls["ca"]]


def test_plain_text_is_refused(firewall):
    """An HTTP/2 client without TLS gets no HTTP/2 answer, only the end of the connection."""
    with firewall.lab.inside_namespace("inside"):
        client = socket.create_connection((topology.SM.v4, topology.SM_PORT), timeout=5)
    with client:
        settings = bytes(3) + b"\x04" + bytes(5)  # an empty SETTINGS frame (RFC 9113, 6.5)
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
        answer = b""
        try:
            while part := client.recv(4096):
                answer += part
        except ConnectionResetError:
            pass  # as good an end as any
    # At most a TLS alert (RFC 8446, 6), never an HTTP/2 frame.
    assert answer == b"" or answer[0] == 0x15


def test_tls_1_3_with_a_certificate_is_accepted(firewall):
    """So that the refusals below are about what they say."""
    status, said = s_client(firewall.lab, "-tls1_3", *identity(firewall, "firewall-fw1"))
    assert status == 0 and "Verify return code: 0" in said and "TLSv1.3" in said


def test_tls_1_2_is_refused(firewall):
    status, said = s_client(firewall.lab, "-tls1_2", *identity(firewall, "firewall-fw1"))
    assert status != 0 and "Cipher is (NONE)" in said


@pytest.mark.parametrize("directory", ["firewall-fw1", "terminal-zoe"])
def test_a_certificate_of_another_role_is_refused(firewall, directory):
    """Only administrators list users. stemctl says so by itself; curl, which does not know, hears
    it from the security manager: PERMISSION_DENIED."""
    role = directory.split("-")[0]
    done = firewall.stemctl_run(
        "user", "list", environment={"STEM_TLS": str(firewall.pki / directory)}, check=False
    )
    assert done.returncode != 0 and not done.stdout
    assert role in done.stderr and "administrator" in done.stderr
    status, why = list_users(firewall, directory, request_header())
    assert status == 7 and f"role {role}" in why


def test_a_request_is_good_once_and_now(firewall):
    """The same request again is refused, and so is one of a minute ago, though the certificate is
    right (STEM report, 4.2)."""
    header = request_header()
    assert list_users(firewall, "administrator-admin", header)[0] == 0
    assert list_users(firewall, "administrator-admin", header)[0] != 0
    stale = request_header(sent=time.time() - 60)
    assert list_users(firewall, "administrator-admin", stale)[0] != 0
    assert list_users(firewall, "administrator-admin", request_header())[0] == 0


def request_header(sent=None):
    """A RequestHeader (proto/stem/v1/common.proto) on the wire, as the first field of a request."""
    milliseconds, varint = int((sent or time.time()) * 1000), b""
    while milliseconds > 0x7F:
        varint += bytes([milliseconds & 0x7F | 0x80])
        milliseconds >>= 7
    header = b"\x08" + varint + bytes([milliseconds]) + b"\x12\x10" + secrets.token_bytes(16)
    return b"\x0a" + bytes([len(header)]) + header


def list_users(site, directory, request):
    """Admin.ListUsers by curl, with that certificate: (grpc-status, grpc-message)."""
    frame = site.lab.directory / "request"
    frame.write_bytes(b"\0" + len(request).to_bytes(4, "big") + request)
    tls = site.tls(directory)
    said = site.lab.run(
        "firewall",
        ["curl", "-sv", "--http2", "--output", "/dev/null",
         "--cert", tls["certificate"], "--key", tls["key"], "--cacert", tls["ca"],
         "-H", "te: trailers", "-H", "content-type: application/grpc",
         "--data-binary", f"@{frame}", f"https://{SM_ENDPOINT}/stem.v1.Admin/ListUsers"],
    ).stderr  # fmt: skip
    status = re.search(r"^< grpc-status: (\d+)", said, re.MULTILINE)
    message = re.search(r"^< grpc-message: (.*)", said, re.MULTILINE)
    return int(status[1]), message[1].strip() if message else ""


def test_a_certificate_of_another_ca_is_refused(firewall, tmp_path):
    foreign = tmp_path / "pki"
    firewall.stemctl_run(
        "pki", "init", "--dir", foreign, "--sm-name", "sm1", "--sm-address", topology.SM.v4,
        "--administrator", "admin",
    )  # fmt: skip
    done = firewall.stemctl_run(
        "user", "list", environment={"STEM_TLS": str(foreign / "administrator-admin")}, check=False
    )
    assert done.returncode == 3
    assert "alice" not in done.stdout


def test_an_agent_with_an_administrators_certificate_does_not_start(session_site, lab):
    """It says what is wrong, and has changed nothing in the kernel."""
    config = session_site.write_agent_config(
        security_manager={"tls": session_site.tls("administrator-admin")}
    )
    done = lab.run("firewall", [BINARIES / "stem-agent", "--config", config], check=False)
    assert done.returncode == 1
    assert "administrator" in done.stderr and "firewall is needed" in done.stderr
    assert not lab.pin_directory.exists()


def test_the_agent_refuses_a_security_manager_of_another_role(session_site, terminal, lab):
    """Somebody with a certificate of the same CA, but not the SM's, listens in its place."""
    session_site.sm.kill()
    tls = session_site.tls("firewall-fw1")
    impostor = lab.start(
        "inside",
        ["openssl", "s_server", "-accept", SM_ENDPOINT, "-tls1_3", "-alpn", "h2", "-Verify", "1",
         "-cert", tls["certificate"], "-key", tls["key"], "-CAfile", tls["ca"]],
        "impostor",
    )  # fmt: skip
    try:
        lab.wait_for_listener("inside", topology.SM.v4, topology.SM_PORT, "tcp")
        session_site.start_agent(wait_for_sm=False)
        assert not call_is_let_in(session_site, terminal, "alice")
        assert not session_site.status()["sm_connected"]
    finally:
        session_site.stop()
        impostor.kill()
        session_site.start_sm()


def test_users_and_spam_survive_a_restart(firewall):
    users = [user["name"] for user in firewall.stemctl("user", "list")["users"]]
    assert {"alice", "bob", "carol", "dave", "erin"} <= set(users)
    assert firewall.sm.stop() == 0
    firewall.start_sm()
    assert [user["name"] for user in firewall.stemctl("user", "list")["users"]] == users


def test_sipp_meets_a_changed_profile_at_once(firewall):
    """No cache between security manager and firewall: the next call sees the new profile."""
    firewall.set_user("bob", "--incoming", "refuse", "--status", "480")
    try:
        peers.sipp_caller(
            firewall.lab, topology.CALLER, "bob", "caller_refused", replace={"@STATUS@": "480"}
        ).wait()
    finally:
        firewall.set_user("bob", "--incoming", "accept")
    callee = peers.sipp_callee(firewall.lab, topology.BOB)
    peers.sipp_caller(firewall.lab, topology.CALLER, "bob", talk_ms=200).wait()
    callee.wait()
