"""A missing tool is named, with the command that installs it."""

import pytest
from cisterna.errors import InstallError
from cisterna.image import sources, tools
from cisterna.image.build_step import BuildFailed, run


def test_missing_tools_without_the_right_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InstallError, match=r"tools: missing gcc-arm-none-eabi, .*cmake.*; install with: sudo apt-get"):
        tools.install_missing(tmp_path / "log")


def test_a_tool_that_fails_shows_the_lines_that_tell(tmp_path):
    log = tmp_path / "log" / "step.log"
    with pytest.raises(BuildFailed) as error:
        run("step", ["sh", "-c", "echo working; echo file.c:1: error: no; exit 3"], log, {"PATH": "/usr/bin:/bin"})
    assert str(error.value).splitlines() == [f"step: failed; all of it is in {log}", "file.c:1: error: no"]


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (None, "no MicroPython there"),
        ("1 24 0", r"MicroPython 1\.24\.0; allowed: 1\.25"),
        ("1 25 1", "pico-sdk is empty"),
    ],
)
def test_a_checkout_that_is_not_what_is_needed(places, monkeypatch, tmp_path, version, said):
    if version:
        (tmp_path / "py").mkdir()
        parts = zip(("MAJOR", "MINOR", "MICRO"), version.split(), strict=True)
        text = "".join(f"#define MICROPY_VERSION_{part} {number}\n" for part, number in parts)
        (tmp_path / "py" / "mpconfig.h").write_text(text)
    monkeypatch.setenv("MICROPYTHON", str(tmp_path))
    with pytest.raises(InstallError, match=f"MICROPYTHON held .*: .*{said}"):
        sources.find(places)
