"""Downloads MicroPython's source packages of Debian 13 from this machine's own mirror, on any release of Debian.

A private apt configuration is derived from the machine's: the same mirrors and keys, another suite, with source
packages. Nothing is installed, and the machine's own configuration is only read.
"""

import os
import re
import shutil
from pathlib import Path

from cisterna.errors import InstallError
from cisterna.image.build_step import run

SUITE = "trixie"
SOURCE_PACKAGES = ("micropython", "mbedtls")
BINARY_PACKAGES = ("pico-sdk-source", "tinyusb-source")
_SUITE_ENDINGS = ("", "-updates", "-security")  # backports and proposed updates are left out
_LINE = re.compile(r"^(?:deb|deb-src)\s+(?P<options>\[[^]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)")
_REPLACED_FIELDS = ("types", "suites", "components", "enabled", "architectures")


def derive(text: str, one_line: bool, names: tuple[str, ...]) -> str:
    """The apt sources in `text`, changed to SUITE. Sources of other suites than `names` are left out.

    one_line  `text` has the older format of sources.list; else deb822 stanzas
    names     the names of the machine's own suite: codename, stable ...
    """
    return _derive_lines(text, names) if one_line else _derive_stanzas(text, names)


def _suite(suite: str, names: tuple[str, ...]) -> str | None:
    """SUITE in place of one of `names`, with the same ending; None for another suite."""
    for ending in _SUITE_ENDINGS:
        if any(suite == name + ending for name in names):
            return SUITE + ending
    return None


def _derive_lines(text: str, names: tuple[str, ...]) -> str:
    sources: dict[str, None] = {}
    for line in text.splitlines():
        if match := _LINE.match(line.strip()):
            suite = _suite(match["suite"], names)
            if suite:
                sources[f"{match['options'] or ''}{match['uri']} {suite} main"] = None
    return "".join(f"{kind} {source}\n" for source in sources for kind in ("deb", "deb-src"))


def _derive_stanzas(text: str, names: tuple[str, ...]) -> str:
    stanzas = []
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] not in (" ", "\t") and ":" in line:
                lines = fields.setdefault(line.partition(":")[0].strip().lower(), [])
            lines.append(line)
        values = {key: " ".join(lines).partition(":")[2].split() for key, lines in fields.items()}
        if not values.get("uris") or "".join(values.get("enabled", [])).lower() in ("no", "false", "0"):
            continue
        suites = [suite for name in values.get("suites", []) if (suite := _suite(name, names))]
        if suites:
            copied = [line for key, lines in fields.items() if key not in _REPLACED_FIELDS for line in lines]
            replaced = ["Types: deb deb-src", f"Suites: {' '.join(suites)}", "Components: main"]
            stanzas.append("\n".join([*replaced, *copied]) + "\n")
    return "\n".join(stanzas)


def fetch(into: Path) -> None:
    """Download the packages into the folder `into`, which appears only when all of them are there.

    Raises InstallError if this machine is not a Debian, BuildFailed with the messages of apt.
    """
    if shutil.which("apt-get") is None:
        raise InstallError(f"apt: not on this machine; {_ALTERNATIVE}")
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


_ALTERNATIVE = "set MICROPYTHON to a checkout of MicroPython 1.25 with its submodules"


def _write_sources(private: Path) -> Path:
    """Write the derived sources, one file for each of the machine's. Returns their folder."""
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
        raise InstallError(f"apt: /etc/apt names no source of Debian ({', '.join(names)}); {_ALTERNATIVE}")
    return folder


def _names(os_release: Path) -> tuple[str, ...]:
    """The names that this machine's sources may use for its suite. Raises InstallError if it is not a Debian."""
    release = dict(line.split("=", 1) for line in os_release.read_text().splitlines() if "=" in line)
    if release.get("ID", "").strip('"') != "debian":
        raise InstallError(f"apt: this machine is not a Debian but {release.get('ID', 'unknown')}; {_ALTERNATIVE}")
    codename = release.get("VERSION_CODENAME", SUITE).strip('"')
    return codename, "stable", "oldstable", "testing"
