"""The tools that compile an image: there, or installed, or a line that says how to get them."""

import os
import shutil
import subprocess
from pathlib import Path

from cisterna.errors import InstallError

COMPILER = "arm-none-eabi-gcc"
PACKAGES = {  # Debian's package -> how one sees that it is there
    "gcc-arm-none-eabi": COMPILER,
    "libnewlib-arm-none-eabi": "nosys.specs",
    "libstdc++-arm-none-eabi-newlib": "libstdc++.a",
    "cmake": "cmake",
    "make": "make",
    "gcc": "cc",
    "libc6-dev": "/usr/include/stdio.h",
}


def missing() -> list[str]:
    """Debian packages whose tools are not there."""
    return [package for package, sign in PACKAGES.items() if not _there(sign)]


def _there(sign: str) -> bool:
    if sign.startswith("/"):
        return Path(sign).is_file()
    if "." not in sign:
        return shutil.which(sign) is not None
    if shutil.which(COMPILER) is None:
        return False
    told = subprocess.run([COMPILER, f"-print-file-name={sign}"], capture_output=True, text=True).stdout.strip()
    return told != sign  # a file that it does not find it names as it was asked


def make_ready(log: Path) -> None:
    """Installs what is missing when this user may; InstallError with the command otherwise."""
    wanted = missing()
    if not wanted:
        return
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *wanted]
    before = _as_root()
    if before is None:
        raise InstallError(f"tools: missing {', '.join(wanted)}; install with: sudo {' '.join(install)}")
    log.parent.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with log.open("wb") as out:
        for command in (["apt-get", "update", "-q"], install):
            subprocess.run([*before, *command], stdout=out, stderr=subprocess.STDOUT, env=env, check=False)
    if still := missing():
        raise InstallError(
            f"tools: {', '.join(still)} could not be installed ({log} says why); install with: sudo {' '.join(install)}"
        )


def _as_root() -> list[str] | None:
    """What to write before a command that needs root; None when this user may not."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True).returncode == 0:
        return sudo
    return None


def compiler_version() -> str:
    """First line of what the compiler says of itself: an input of the image like any source."""
    return subprocess.run([COMPILER, "--version"], capture_output=True, text=True).stdout.partition("\n")[0]
