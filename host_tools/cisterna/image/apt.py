"""The sources of MicroPython from Debian 13, whichever Debian this machine runs, and by the machine's own mirror.

A private apt configuration is derived from the machine's: the same places and keys, another suite, sources too. Nothing
is installed from it, and the machine's own is only read.
"""

import os
import re
import shutil
from pathlib import Path

from cisterna.errors import InstallError
from cisterna.image.run import run

SUITE = "trixie"
SOURCE_PACKAGES = ("micropython", "mbedtls")
BINARY_PACKAGES = ("pico-sdk-source", "tinyusb-source")
_KINDS = ("", "-updates", "-security")  # of a suite; backports and proposals are not asked
_LINE = re.compile(r"^(?:deb|deb-src)\s+(?P<options>\[[^]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)")
_REWRITTEN = ("types", "suites", "components", "enabled", "architectures")


def derive(text: str, one_line: bool, names: tuple[str, ...]) -> str:
    """The apt sources of `text` for SUITE. `names`: what the machine's own suite is called (codename, stable).

    Sources of other suites than Debian's are left out. `one_line`: the older format, sources.list.
    """
    return _derive_lines(text, names) if one_line else _derive_stanzas(text, names)


def _suite(suite: str, names: tuple[str, ...]) -> str | None:
    for kind in _KINDS:
        if any(suite == name + kind for name in names):
            return SUITE + kind
    return None


def _derive_lines(text: str, names: tuple[str, ...]) -> str:
    found: dict[str, None] = {}
    for line in text.splitlines():
        if match := _LINE.match(line.strip()):
            suite = _suite(match["suite"], names)
            if suite:
                found[f"{match['options'] or ''}{match['uri']} {suite} main"] = None
    return "".join(f"{kind} {place}\n" for place in found for kind in ("deb", "deb-src"))


def _derive_stanzas(text: str, names: tuple[str, ...]) -> str:
    out = []
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] not in (" ", "\t") and ":" in line:
                lines = fields.setdefault(line.partition(":")[0].strip().lower(), [])
            lines.append(line)
        told = {key: " ".join(lines).partition(":")[2].split() for key, lines in fields.items()}
        if not told.get("uris") or "".join(told.get("enabled", [])).lower() in ("no", "false", "0"):
            continue
        suites = [suite for name in told.get("suites", []) if (suite := _suite(name, names))]
        if suites:
            kept = [line for key, lines in fields.items() if key not in _REWRITTEN for line in lines]
            told_anew = ["Types: deb deb-src", f"Suites: {' '.join(suites)}", "Components: main"]
            out.append("\n".join([*told_anew, *kept]) + "\n")
    return "\n".join(out)


def fetch(into: Path) -> None:
    """Downloads the packages into the folder `into`, which is made when all of them are there. Nothing is unpacked.

    InstallError where there is no Debian to ask; BuildFailed with what apt said.
    """
    if shutil.which("apt-get") is None:
        raise InstallError(f"apt: not on this machine; {_OTHERWISE}")
    private = into.parent / "apt"
    sources = _write_sources(private)
    config = private / "apt.conf"
    config.write_text(
        'Dir::Etc::sourcelist "/dev/null";\n'
        f'Dir::Etc::sourceparts "{sources}";\n'
        f'Dir::State::Lists "{private}/lists";\n'
        f'Dir::Cache "{private}/cache";\n'
        'Dir::State::status "/dev/null";\n'
        "Acquire::Languages none;\n"
        "APT::Sandbox::User root;\n"  # this folder need not be readable for apt's own user
    )
    for folder in ("lists/partial", "cache/archives/partial"):
        (private / folder).mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "APT_CONFIG": str(config)}
    partial = into.with_name(into.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    log = into.parent / "log"
    run(f"apt: {SUITE} by this machine's mirror", ["apt-get", "update", "-q"], log / "apt-update.log", env)
    source = ["apt-get", "source", "-q", "--download-only", *SOURCE_PACKAGES]
    run("apt: sources", source, log / "apt-source.log", env, cwd=partial)
    run("apt: packages", ["apt-get", "download", "-q", *BINARY_PACKAGES], log / "apt-download.log", env, cwd=partial)
    partial.rename(into)


_OTHERWISE = "set MICROPYTHON to a checkout of MicroPython 1.25 with its submodules"


def _write_sources(private: Path) -> Path:
    """The derived sources, one file for each of the machine's. Their folder."""
    folder = private / "sources.list.d"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = _names(Path("/etc/os-release"))
    for path in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        if path.suffix in (".list", ".sources") and path.is_file():
            derived = derive(path.read_text(), path.suffix == ".list", names)
            if derived:
                (folder / path.name).write_text(derived)
    if not any(folder.iterdir()):
        raise InstallError(f"apt: /etc/apt names no source of Debian ({', '.join(names)}); {_OTHERWISE}")
    return folder


def _names(os_release: Path) -> tuple[str, ...]:
    """What the suite of this machine may be called in its sources."""
    told = dict(line.split("=", 1) for line in os_release.read_text().splitlines() if "=" in line)
    if told.get("ID", "").strip('"') != "debian":
        raise InstallError(f"apt: this machine is not a Debian but {told.get('ID', 'unknown')}; {_OTHERWISE}")
    codename = told.get("VERSION_CODENAME", SUITE).strip('"')
    return codename, "stable", "oldstable", "testing"
