"""Debian 13's sources by the machine's own mirror: what is derived from its apt configuration."""

import pytest
from cisterna.errors import InstallError
from cisterna.image import apt

NAMES = ("bookworm", "stable")

STANZAS = """\
Types: deb
# where it was copied from
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://other.example/tools
Suites: nodistro
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 aaaa
"""


def test_apt_stanzas_keep_their_place_and_key():
    assert apt.derive(STANZAS, False, NAMES) == (
        "Types: deb deb-src\n"
        "Suites: trixie trixie-updates\n"
        "Components: main\n"
        "URIs: http://mirror.example/debian\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        "\n"
        "Types: deb deb-src\n"
        "Suites: trixie-security\n"
        "Components: main\n"
        "URIs: http://mirror.example/debian-security\n"
        "Signed-By:\n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n"
        " .\n"
        " aaaa\n"
    )


LINES = """\
# deb http://commented.example/debian bookworm main
deb [signed-by=/a.gpg arch=amd64] http://mirror.example/debian bookworm main contrib
deb-src [signed-by=/a.gpg arch=amd64] http://mirror.example/debian bookworm main
deb http://mirror.example/debian-security stable-security main
deb http://mirror.example/debian bookworm-backports main
deb http://other.example/apt sid main
"""


def test_lines_keep_options():
    assert apt.derive(LINES, True, NAMES) == (
        "deb [signed-by=/a.gpg arch=amd64] http://mirror.example/debian trixie main\n"
        "deb-src [signed-by=/a.gpg arch=amd64] http://mirror.example/debian trixie main\n"
        "deb http://mirror.example/debian-security trixie-security main\n"
        "deb-src http://mirror.example/debian-security trixie-security main\n"
    )


def test_a_machine_that_is_the_suite_already():
    assert apt.derive("deb http://mirror.example/debian trixie main\n", True, ("trixie",)).startswith(
        "deb http://mirror.example/debian trixie main\n"
    )


def test_the_machine_must_be_a_debian(tmp_path):
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    assert apt._names(release)[0] == "bookworm"
    release.write_text("ID=fedora\n")
    with pytest.raises(InstallError, match="not a Debian but fedora; set MICROPYTHON"):
        apt._names(release)
