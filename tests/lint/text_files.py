"""Check every file of the repository against .editorconfig. Exit status 1 and a line for each fault."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from editorconfig import get_properties

ROOT = Path(__file__).resolve().parents[2]


def faults(name: str, data: bytes, rules: dict[str, str]) -> Iterator[str]:
    """What in `data`, a file called `name`, breaks `rules` (keys and values of .editorconfig)."""
    if not data:
        return
    try:
        text = data.decode(rules.get("charset", "utf-8"))
    except UnicodeDecodeError as error:
        yield f"{name}: byte {error.start} is not {rules['charset']}"
        return
    if rules.get("end_of_line") == "lf" and "\r" in text:
        yield f"{name}: a carriage return; lines end with a line feed"
    if rules.get("insert_final_newline") == "true" and not text.endswith("\n"):
        yield f"{name}: no line feed at the end"
    limit = rules.get("max_line_length", "off")
    for number, line in enumerate(text.split("\n"), 1):
        if rules.get("trim_trailing_whitespace") == "true" and line[-1:] in (" ", "\t"):
            yield f"{name}:{number}: white space at the end of the line"
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent and rules.get("indent_style") == "space":
            yield f"{name}:{number}: indented by a tab; allowed: spaces"
        if indent.startswith(" ") and rules.get("indent_style") == "tab" and not _continues(text, number):
            yield f"{name}:{number}: indented by spaces; allowed: tabs"
        if limit != "off" and len(line) > int(limit):
            yield f"{name}:{number}: {len(line)} columns; allowed: {limit}"


def _continues(text: str, number: int) -> bool:
    """Whether line `number` continues the one before it (a backslash at its end): it may be aligned by spaces."""
    return number > 1 and text.split("\n")[number - 2].endswith("\\")


def files(root: Path) -> list[Path]:
    """What git tracks, and what it would add."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return [root / name for name in names if name and (root / name).is_file()]


def main() -> int:
    found = [
        fault
        for path in files(ROOT)
        for fault in faults(str(path.relative_to(ROOT)), path.read_bytes(), get_properties(str(path)))
    ]
    print("\n".join(found), end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
