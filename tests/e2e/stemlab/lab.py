# SPDX-License-Identifier: Apache-2.0
"""One lab: brought up and down by vagrant/lab/lab.sh, its namespaces entered from here."""

import contextlib
import ctypes
import os
import pathlib
import socket
import struct
import subprocess

from . import topology
from .packets import ones_complement_sum
from .process import Service
from .waiting import eventually

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_SCRIPT = topology.ROOT / "vagrant/lab/lab.sh"


class Lab:
    """A lab under a name; a context manager that takes it down.

    directory: where logs, configurations and captures of this lab go.
    """

    def __init__(self, name, directory):
        self.name = name
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.services = []

    @staticmethod
    def reap():
        """Removes labs whose owner died without taking them down."""
        subprocess.run([_SCRIPT, "reap"], check=True, stdout=subprocess.DEVNULL)

    def up(self):
        """Brings it up with this process as its owner: when it dies, the lab goes too."""
        subprocess.run(
            [_SCRIPT, "up", self.name],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"STEM_LAB_OWNER": str(os.getpid())},
        )
        return self

    def down(self):
        for service in reversed(self.services):
            service.kill()
        self.services.clear()
        subprocess.run([_SCRIPT, "down", self.name], check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self.up()

    def __exit__(self, *_):
        self.down()

    @property
    def state_directory(self):
        """Where the agent's control socket is."""
        return pathlib.Path("/run/stem") / self.name

    @property
    def pin_directory(self):
        return pathlib.Path("/sys/fs/bpf/stem") / self.name

    def namespace(self, side):
        return pathlib.Path(f"/run/netns/stem-{self.name}-{side}")

    def command(self, side, argv):
        """argv as it must be started to run on that side. nsenter leaves /sys/fs/bpf visible."""
        return ["nsenter", f"--net={self.namespace(side)}", "--", *map(str, argv)]

    def run(self, side, argv, **kwargs):
        """subprocess.run on that side; text output, checked unless check=False."""
        options = {"check": True, "capture_output": True, "text": True, "timeout": 30}
        # Some programs print what the network gave them, whatever that is.
        options |= {"errors": "replace"} | kwargs
        return subprocess.run(self.command(side, argv), **options)

    def start(self, side, argv, name, **kwargs):
        """Starts a Service on that side, logging to directory/NAME.log. Dies with the lab."""
        service = Service(name, self.command(side, argv), self.directory / f"{name}.log", **kwargs)
        self.services.append(service)
        return service

    def end_all_but(self, keep):
        """Kills every service that is not in `keep`: what a failed test left running must not fail
        the next one, too."""
        for service in [s for s in self.services if s not in keep]:
            service.kill()
            self.services.remove(service)

    def wait_for_listener(self, side, address, port, protocol="udp", timeout=10.0):
        """Waits until something listens there."""
        argv = ["ss", "-H", "-ln", f"--{protocol}", f"src {topology.bracketed(address)}:{port}"]
        eventually(
            lambda: self.run(side, argv).stdout.strip(),
            f"something listens on {protocol} {address} port {port} {side}",
            timeout,
        )

    @contextlib.contextmanager
    def inside_namespace(self, side):
        """The calling thread is on that side meanwhile: sockets it makes there stay there."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(
            self.namespace(side), "rb"
        ) as there:
            _set_namespace(there)
            try:
                yield
            finally:
                _set_namespace(home)

    def udp_socket(self, host, port=0, family=4):
        """A UDP socket bound to that host's address."""
        with self.inside_namespace(host.side):
            kind = socket.AF_INET if family == 4 else socket.AF_INET6
            made = socket.socket(kind, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        made.bind((host.address(family), port))
        return made

    def ping(self, side, payload):
        """One ICMP echo request with that payload from a side to the firewall."""
        with self.inside_namespace(side):
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        header = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, 0)
        checksum = 0xFFFF ^ ones_complement_sum(header + payload)
        with raw:
            raw.sendto(
                header[:2] + struct.pack("!H", checksum) + header[4:] + payload,
                (topology.GATEWAY[side].v4, 0),
            )

    def packet_socket(self, side, interface="eth0"):
        """A raw socket on the wire of that side."""
        with self.inside_namespace(side):
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            made.bind((interface, 0))
        return made


def _set_namespace(file):
    if _LIBC.setns(file.fileno(), _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")
