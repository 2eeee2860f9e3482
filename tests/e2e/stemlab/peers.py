# SPDX-License-Identifier: Apache-2.0
"""Peers nobody here wrote: Kamailio as the proxy inside, SIPp and baresip as terminals."""

import math
import os
import struct
import wave

from . import topology

SCENARIOS = topology.ROOT / "tests/e2e/scenarios"
_SPEECH = "speech.ulaw"  # the name the scenarios know


class Kamailio:
    """The SIP proxy inside, on the proxy's addresses of both families."""

    def __init__(self, lab):
        directory = lab.directory / "kamailio"
        directory.mkdir(exist_ok=True)
        port = topology.SIP_PORT
        self.service = lab.start(
            "inside",
            ["kamailio", "-f", topology.ROOT / "vagrant/lab/kamailio.cfg", "-DD", "-E",
             "-m", "128", "-M", "8", "-Y", directory, "-P", directory / "pid",
             "-l", f"udp:{topology.PROXY.v4}:{port}", "-l", f"udp:[{topology.PROXY.v6}]:{port}"],
            "kamailio",
            env=os.environ | topology.VALUES,
        )  # fmt: skip
        self.service.wait_for(r"udp: \[")
        lab.wait_for_listener("inside", topology.PROXY.v4, port)


class Sipp:
    """One SIPp process running one scenario once (or `calls` times)."""

    def __init__(self, lab, host, scenario, *arguments, talk_ms=1000, media_port=None, family=4,
                 replace=None, port=topology.SIP_PORT, calls=1, name=None):  # fmt: skip
        speech = lab.directory / _SPEECH
        if not speech.exists():
            speech.write_bytes(tone())
        path = SCENARIOS / f"{scenario}.xml"
        name = name or f"sipp-{host.name}-{scenario}"
        if replace:
            text = path.read_text()
            for old, new in replace.items():
                text = text.replace(old, new)
            path = lab.directory / f"{name}.xml"
            path.write_text(text)
        address = topology.bracketed(host.address(family))
        media = ["-mp", media_port] if media_port else []
        self.service = lab.start(
            host.side,
            ["sipp", *arguments, "-sf", path, "-i", address, "-mi", address, "-p", port, *media,
             "-m", calls, "-d", talk_ms, "-nostdin", "-trace_err",
             "-error_file", lab.directory / f"{name}.errors"],
            name,
            cwd=lab.directory,
        )  # fmt: skip
        self._errors = lab.directory / f"{name}.errors"

    def wait(self, timeout=30.0):
        """Waits for the end and asserts that every call went as the scenario says."""
        status = self.service.wait(timeout)
        errors = self._errors.read_text() if self._errors.exists() else ""
        assert status == 0, f"{self.service.name} exited with {status}\n{errors[:2000]}"


def sipp_callee(lab, host, scenario="callee", media_port=30000, family=4, **options):
    """A SIPp that waits for a call and echoes RTP; listening when this returns."""
    sipp = Sipp(lab, host, scenario, "-rtp_echo", media_port=media_port, family=family, **options)
    lab.wait_for_listener(host.side, host.address(family), options.get("port", topology.SIP_PORT))
    return sipp


def sipp_caller(lab, host, user, scenario="caller", *arguments, caller="zoe@outside.example",
                family=4, **options):  # fmt: skip
    """A SIPp that calls a user through the proxy; arguments are SIPp's own."""
    proxy = f"{topology.bracketed(topology.PROXY.address(family))}:{topology.SIP_PORT}"
    return Sipp(
        lab, host, scenario, *arguments, "-s", user, "-key", "caller", caller, proxy,
        family=family, **options,
    )  # fmt: skip


def tone(hertz=440, seconds=1, rate=8000):
    """A sine in G.711 mu-law: what SIPp's callers say."""
    return bytes(
        _mu_law(int(8000 * math.sin(2 * math.pi * hertz * i / rate))) for i in range(rate * seconds)
    )


def _mu_law(sample):
    """ITU-T G.711, table 2a: sign, exponent, mantissa, inverted."""
    magnitude = min(abs(sample), 32635) + 132
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~((0x80 if sample < 0 else 0) | (exponent << 4) | mantissa) & 0xFF


class Baresip:
    """A baresip phone at one host; answers by itself, or calls `dial` as soon as it is up."""

    def __init__(self, lab, host, user, dial=None, family=4):
        directory = lab.directory / f"baresip-{host.name}"
        directory.mkdir(exist_ok=True)
        bare = host.address(family)
        address = topology.bracketed(bare)
        speech = directory / "speech.wav"
        _write_wav(speech)
        proxy = topology.bracketed(topology.PROXY.address(family))
        mode = f';outbound="sip:{proxy}"' if dial else ";answermode=auto"
        (directory / "accounts").write_text(f"<sip:{user}@{address}>;regint=0{mode}\n")
        (directory / "contacts").write_text("")
        (directory / "config").write_text(
            f"sip_listen {address}:{topology.SIP_PORT}\n"
            f"net_interface {bare}\n"
            "rtp_ports 20000-20100\n"
            "module_path /usr/lib/baresip/modules\n"
            "module g711.so\nmodule aufile.so\n"
            "module_app account.so\nmodule_app menu.so\n"
            f"audio_source aufile,{speech}\n"
            f"audio_player aufile,{directory}/heard.wav\n"
            f"audio_alert aufile,{directory}/alert.wav\n"
        )
        execute = ["-e", f"/dial {dial}"] if dial else []
        self.service = lab.start(
            host.side, ["baresip", "-f", directory, *execute], f"baresip-{host.name}"
        )
        lab.wait_for_listener(host.side, bare, topology.SIP_PORT)

    def wait_established(self):
        self.service.wait_for("Call established", 15)

    def hang_up(self):
        """Ends the program, which ends its calls."""
        self.service.stop()


def _write_wav(path, rate=8000, seconds=30):
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(
            b"".join(
                struct.pack("<h", int(8000 * math.sin(2 * math.pi * 440 * i / rate)))
                for i in range(rate * seconds)
            )
        )
