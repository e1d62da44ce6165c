"""The tools that compile an image: finds and installs them, or raises an error with the command that does."""

import os
import shutil
import subprocess
from pathlib import Path

from cisterna.errors import InstallError

COMPILER = "arm-none-eabi-gcc"
PACKAGES = {  # Debian package -> program, library or file that shows it is installed
    "gcc-arm-none-eabi": COMPILER,
    "libnewlib-arm-none-eabi": "nosys.specs",
    "libstdc++-arm-none-eabi-newlib": "libstdc++.a",
    "cmake": "cmake",
    "make": "make",
    "gcc": "cc",
    "libc6-dev": "/usr/include/stdio.h",
}


def missing() -> list[str]:
    """The Debian packages that are not installed."""
    return [package for package, marker in PACKAGES.items() if not _is_installed(marker)]


def _is_installed(marker: str) -> bool:
    if marker.startswith("/"):
        return Path(marker).is_file()
    if "." not in marker:
        return shutil.which(marker) is not None
    if shutil.which(COMPILER) is None:
        return False
    found = subprocess.run([COMPILER, f"-print-file-name={marker}"], capture_output=True, text=True).stdout.strip()
    return found != marker  # gcc repeats the name of a file that it does not find


def install_missing(log: Path) -> None:
    """Install the missing packages if this user may. Raises InstallError, with the command, otherwise."""
    wanted = missing()
    if not wanted:
        return
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *wanted]
    prefix = _root_prefix()
    if prefix is None:
        raise InstallError(f"tools: missing {', '.join(wanted)}; install with: sudo {' '.join(install)}")
    log.parent.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with log.open("wb") as output:
        for command in (["apt-get", "update", "-q"], install):
            subprocess.run([*prefix, *command], stdout=output, stderr=subprocess.STDOUT, env=env, check=False)
    if still := missing():
        raise InstallError(
            f"tools: {', '.join(still)} could not be installed ({log} says why); install with: sudo {' '.join(install)}"
        )


def _root_prefix() -> list[str] | None:
    """The words before a command that needs root; None if this user may not run it."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True).returncode == 0:
        return sudo
    return None


def compiler_version() -> str:
    """The first line of the compiler's --version, which is an input of the image."""
    return subprocess.run([COMPILER, "--version"], capture_output=True, text=True).stdout.partition("\n")[0]
