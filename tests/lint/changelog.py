"""Check that CHANGELOG.md is in the form of Keep a Changelog. Exit status 1 and a line for each fault."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "CHANGELOG.md"
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
UNRELEASED = "[Unreleased]"
_RELEASE = re.compile(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}")


def faults(text: str) -> Iterator[str]:
    """What in `text` breaks the form: sections in order, kinds known and once a section, entries that are sentences."""
    lines = text.splitlines()
    if not lines or lines[0] != "# Changelog":
        yield "line 1: allowed: # Changelog"
    sections = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    if not sections or sections[0] != UNRELEASED:
        yield f"first section: {sections[0] if sections else 'none'}; allowed: {UNRELEASED}"
    for section in sections[1:]:
        if not _RELEASE.fullmatch(section):
            yield f"section {section}; allowed: [1.2.3] - 2031-12-31"
    yield from _kinds(lines)
    yield from _entries(lines)


def _kinds(lines: list[str]) -> Iterator[str]:
    """Kinds of change within each section."""
    seen: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.startswith("## "):
            seen = []
        elif line.startswith("### "):
            kind = line.removeprefix("### ")
            if kind not in KINDS or kind in seen:
                yield f"line {number}: {kind}; allowed: {', '.join(KINDS)}, each once a section"
            seen.append(kind)


def _entries(lines: list[str]) -> Iterator[str]:
    """Each entry is a list item under a kind; its last line ends with a full stop."""
    under_kind = in_entry = False
    for number, line in enumerate([*lines, ""], 1):
        if in_entry and (not line or line[0] in "-#") and not lines[number - 2].endswith((".", ".)")):
            yield f"line {number - 1}: an entry ends with a full stop"
        if line.startswith("## "):
            under_kind = False
        elif line.startswith("### "):
            under_kind = True
        in_entry = line.startswith("- ") or (in_entry and line.startswith("  "))
        if line.startswith("- ") and not under_kind:
            yield f"line {number}: an entry outside of a kind; allowed: under {', '.join(KINDS)}"


def main() -> int:
    found = [f"{FILE.name}: {fault}" for fault in faults(FILE.read_text(encoding="utf-8"))]
    print("\n".join(found), end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
