"""Each check of `make lint` that is this project's own finds what it is for; pre-commit runs the same checks."""

import re
from pathlib import Path

import pytest
from lint import changelog, text_files

ROOT = Path(__file__).resolve().parents[2]
RULES = {
    "charset": "utf-8",
    "end_of_line": "lf",
    "insert_final_newline": "true",
    "trim_trailing_whitespace": "true",
    "indent_style": "space",
    "max_line_length": "20",
}
GOOD = """# Changelog

## [Unreleased]

### Added

- A thing,
  on two lines.

### Fixed

- Another.

## [1.2.3] - 2031-12-31

### Added

- All of it.
"""


def test_pre_commit_runs_the_checks_of_make_lint():
    checks = re.search(r"^CHECKS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    hooks = re.findall(r"entry: make -s (\S+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert checks and hooks == checks[1].split()


def test_a_text_file_as_it_must_be_has_no_fault():
    assert list(text_files.faults("a.py", b"def f():\n    pass\n", RULES)) == []
    assert list(text_files.faults("empty.py", b"", RULES)) == []
    assert list(text_files.faults("Makefile", b"a:\n\tb \\\n    c\n", {**RULES, "indent_style": "tab"})) == []


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\xff\n", "a.py: byte 0 is not utf-8"),
        (b"x\r\n", "a.py: a carriage return; lines end with a line feed"),
        (b"x", "a.py: no line feed at the end"),
        (b"x\ny \n", "a.py:2: white space at the end of the line"),
        (b"\tx\n", "a.py:1: indented by a tab; allowed: spaces"),
        (b"x" * 21 + b"\n", "a.py:1: 21 columns; allowed: 20"),
    ],
)
def test_each_fault_of_a_text_file_is_found(data, fault):
    assert fault in list(text_files.faults("a.py", data, RULES))


def test_a_makefile_line_that_begins_with_spaces_is_found():
    found = list(text_files.faults("Makefile", b"a:\n    b\n", {**RULES, "indent_style": "tab"}))
    assert found == ["Makefile:2: indented by spaces; allowed: tabs"]


def test_the_files_of_the_repository_are_listed_without_the_ignored_ones():
    names = {str(path.relative_to(ROOT)) for path in text_files.files(ROOT)}
    assert {"Makefile", "tests/lint/test_lint.py"} <= names
    assert not any(name.startswith((".venv", "build/")) for name in names)


def test_a_changelog_as_it_must_be_has_no_fault():
    assert list(changelog.faults(GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("# Changelog", "# History", "line 1"),
        ("## [Unreleased]", "## [Next]", "first section: [Next]"),
        ("## [1.2.3] - 2031-12-31", "## 1.2.3", "section 1.2.3"),
        ("### Fixed", "### Mended", "line 10: Mended"),
        ("### Fixed", "### Added", "line 10: Added"),
        ("on two lines.", "on two lines", "line 8: an entry ends with a full stop"),
        ("All of it.", "All of it", "line 18: an entry ends with a full stop"),
        ("### Fixed\n", "## [1.2.4] - 2032-01-01\n", "line 12: an entry outside of a kind"),
    ],
)
def test_each_fault_of_a_changelog_is_found(old, new, fault):
    assert any(fault in found for found in changelog.faults(GOOD.replace(old, new, 1)))
