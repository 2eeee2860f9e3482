#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Boots Debian's kernels in QEMU, and runs the BPF tests and the end-to-end tests marked any_kernel
on each.

usage: run.py REPORT [SERIES...]

SERIES: 6.1 6.12, by default both. Writes a JUnit report, and says on standard error what failed.
Exits 0 when the report is written: failures are counted there.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import initramfs  # noqa: E402
import kernels  # noqa: E402
from guest import Guest, GuestFailed  # noqa: E402
from reports import Reports  # noqa: E402

BUILD = initramfs.ROOT / "build/kernels"
BINARIES = pathlib.Path(os.environ.get("STEM_BIN", initramfs.ROOT / "build/release/bin"))
TIMEOUT = 900  # seconds, for a guest; two cores that do nothing else need a fifth of it


def concatenate(parts, whole):
    with open(whole, "wb") as output:
        for part in parts:
            with open(part, "rb") as data:
                shutil.copyfileobj(data, output)


def start_guest(kernel, userland, scratch):
    """Boots the kernel."""
    directory = guest_directory(kernel)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    modules, whole = scratch / "modules.cpio", scratch / f"initramfs-{kernel.release}.cpio"
    initramfs.pack_modules(kernel, scratch / "modules", modules)
    concatenate([userland, modules], whole)
    return Guest(kernel, whole, directory)


def guest_directory(kernel):
    return BUILD / f"guest-{kernel.release}"


def run_all(series, scratch, reports):
    """Boots the newest kernel of each series, all at once, and collects what their guests report."""
    userland = scratch / "userland.cpio"
    initramfs.pack(BINARIES, scratch / "userland", userland)
    with contextlib.ExitStack() as stack:
        guests = []
        for name in series:
            try:
                kernel = kernels.fetch(name, BUILD)
            except kernels.NoKernel as missing:
                reports.add_failure(f"Debian's kernel {name}", "download", str(missing))
                continue
            guests.append((kernel, stack.enter_context(start_guest(kernel, userland, scratch))))
        for kernel, guest in guests:
            try:
                guest.wait_for_reports(guest_directory(kernel) / "reports", TIMEOUT)
            except GuestFailed as failure:
                reports.add_failure(kernel.release, "guest", str(failure))
            else:
                reports.add_guest(kernel.release, guest_directory(kernel) / "reports")


def main():
    # A `kill` unwinds like a Ctrl-C: the guest ends, the scratch directory goes.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    report, *series = sys.argv[1:]
    reports = Reports()
    BUILD.mkdir(parents=True, exist_ok=True)
    for left in BUILD.glob("scratch-*"):  # by a run that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="scratch-") as scratch:
        run_all(series or kernels.SERIES, pathlib.Path(scratch), reports)
    for failure in reports.failures():
        print(failure, file=sys.stderr)
    reports.write(report)


if __name__ == "__main__":
    main()
