# SPDX-License-Identifier: Apache-2.0
"""Debian's kernels: fetched and unpacked, never installed as this machine's own."""

import dataclasses
import pathlib
import shutil
import subprocess

# Names of the packages that depend on the newest kernel of a series.
SERIES = {"6.1": "linux-image-cloud-amd64", "6.12": "linux-image-6.12-cloud-amd64"}


class NoKernel(Exception):
    """A kernel's package could not be had."""


@dataclasses.dataclass(frozen=True)
class Kernel:
    """One kernel, unpacked in a directory."""

    release: str  # as uname -r says
    root: pathlib.Path

    @property
    def image(self):
        return self.root / f"boot/vmlinuz-{self.release}"

    @property
    def modules(self):
        return self.root / f"lib/modules/{self.release}"


def fetch(series, directory):
    """The newest kernel of a series, unpacked below directory; from there when it is there."""
    try:
        package = _package_of(SERIES[series])
        return _unpacked(package, directory) or _download(package, directory)
    except NoKernel:
        # The package lists may be missing, or older than what the mirror holds.
        _apt("apt-get", "update")
        package = _package_of(SERIES[series])
        return _unpacked(package, directory) or _download(package, directory)


def _package_of(series_package):
    """The package that holds the kernel itself: linux-image-RELEASE."""
    command = ["apt-cache", "depends", series_package]
    for line in _apt(*command).splitlines():
        kind, _, package = line.strip().partition(": ")
        if kind == "Depends" and package.startswith("linux-image-"):
            return package
    raise NoKernel(f"`{' '.join(command)}` names no kernel")


def _unpacked(package, directory):
    release = package.removeprefix("linux-image-")
    kernel = Kernel(release, directory / release)
    return kernel if kernel.root.exists() else None


def _download(package, directory):
    scratch = directory / f"{package}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        _apt("apt-get", "-o", "APT::Sandbox::User=root", "download", package, cwd=scratch)
        (archive,) = scratch.glob("*.deb")
        root = scratch / "root"
        _apt("dpkg-deb", "-x", str(archive), str(root))
        release = package.removeprefix("linux-image-")
        _apt("depmod", "-b", str(root), release)
        root.rename(directory / release)
    finally:
        shutil.rmtree(scratch)
    return _unpacked(package, directory)


def _apt(*argv, cwd=None):
    """Standard output of a command; NoKernel, naming it and what it said, when it fails."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoKernel(f"`{' '.join(argv)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
