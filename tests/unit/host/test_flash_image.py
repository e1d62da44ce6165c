"""An image before flashing: read strictly, signed, and written in an order that is safe at any power cut."""

import json
from zlib import crc32

import pytest
from cisterna.bench.rp2040 import bootsel
from cisterna.bench.rp2040.bootsel import BootLoader, has_boot_stage, leads_to_boot_loader
from cisterna.cli import app
from cisterna.errors import CisternaError
from cisterna.flash import drives, uf2
from cisterna.image import image_files
from cisterna.pharmacy import keys, signed_files
from support.chip.uf2_blocks import CODE_END, PAGES, block, boot_stage, image_blocks
from typer.testing import CliRunner


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "image.uf2"
    path.write_bytes(b"".join(image_blocks()))
    return path


class Flash:
    """What the boot loader programs: bits fall, and rise only by sectors."""

    def __init__(self):
        self.bytes = bytearray(b"\xff" * 64 * 1024)
        self.restarted = 0
        self.boot_loader = BootLoader(self.write, self.restart)

    def write(self, offset: int, page: bytes, erase: bool) -> None:
        if erase:
            first = offset - offset % 4096
            self.bytes[first : first + 4096] = b"\xff" * 4096
        for place, byte in enumerate(page):
            self.bytes[offset + place] &= byte

    def restart(self) -> None:
        self.restarted += 1

    def take(self, data: bytes) -> None:
        for start in range(0, len(data), 512):
            self.boot_loader.take(data[start : start + 512])

    def holds(self, blocks: list[bytes]) -> bool:
        return self.bytes.startswith(b"".join(one[32:288] for one in blocks))


# -- reading


def test_a_whole_image_is_read(file):
    read = uf2.read(file, CODE_END)
    assert list(read.blocks) == image_blocks()
    assert image_files.facts(file) == {
        "build": "0123456789abcdef",
        "commit": "abc",
        "variant": "therapy",
        "uf2_sha256": read.sha256,
    }


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([], "of 0 bytes"),
        (image_blocks()[:-1], "not in its place"),
        ([*image_blocks()[:-1], image_blocks()[-1][:-1]], "ends within it"),
        ([image_blocks()[1], image_blocks()[0], *image_blocks()[2:]], "not in its place"),
        ([*image_blocks()[:-1], block(PAGES - 1, PAGES, family=0xE48BFF59)], "chip family 0xe48bff59"),
        ([*image_blocks()[:-1], block(PAGES - 1, PAGES, flags=0)], "chip family"),
        ([*image_blocks()[:-1], block(PAGES - 1, PAGES, size=128)], "not in its place"),
        ([*image_blocks()[:-1], block(PAGES - 1, PAGES, address=uf2.FLASH + 0x100000)], "not in its place"),
        ([*image_blocks()[:-1], bytes(512)], "not a block of a UF2"),
    ],
)
def test_an_incomplete_image_is_refused(tmp_path, blocks, said):
    path = tmp_path / "wrong.uf2"
    path.write_bytes(b"".join(blocks))
    with pytest.raises(uf2.InvalidImage, match=said):
        uf2.read(path, CODE_END)


def test_an_image_that_would_reach_the_pumps_data_is_refused(file):
    with pytest.raises(uf2.InvalidImage, match="below 0x002000, where the pump's own data begins"):
        uf2.read(file, 0x2000)
    assert uf2.read(file, PAGES * 256)


# -- the boot loader, and the order of the blocks


def test_the_roms_crc_is_known():
    """The model of the ROM's check against one written bit by bit; a flipped bit anywhere is seen."""
    page = boot_stage()
    assert has_boot_stage(page) and not has_boot_stage(b"\xff" * 256)
    for bit in range(0, 2048, 7):
        wrong = bytearray(page)
        wrong[bit // 8] ^= 1 << bit % 8
        assert not has_boot_stage(bytes(wrong))


def test_the_mark_that_leads_into_the_boot_loader():
    """The four words that the ROM left in the watchdog when a development image called `machine.bootloader()`."""
    mark = [0, 0, 0, 0, 0xB007C0D3, 0x4FF824B4, 0x20042000, 0x1B99]
    assert leads_to_boot_loader(mark)
    assert not leads_to_boot_loader([0] * 8)
    assert not leads_to_boot_loader([*mark[:5], 0, *mark[6:]])
    into_flash = 0x10000101
    assert not leads_to_boot_loader([*mark[:5], into_flash ^ 0x4FF83F2D, mark[6], into_flash])


def test_the_boot_loader_takes_a_file_in_its_own_order():
    """As a person copies it."""
    flash = Flash()
    flash.take(b"".join(image_blocks()))
    assert flash.holds(image_blocks()) and flash.restarted == 1


def test_blocks_for_others_are_passed_over():
    flash = Flash()
    flash.take(bytes(512) + block(0, 2, b"\0" * 256, family=1) + block(0, 2, b"\0" * 256, flags=0x2001))
    assert flash.bytes.count(0xFF) == len(flash.bytes) and flash.boot_loader.progress == (0, 0)
    flash.take(b"".join(image_blocks()))
    assert flash.holds(image_blocks())


@pytest.mark.parametrize("before", [None, 2])
def test_no_partial_image_starts(before):
    """A power cut after any block: without the boot stage the ROM stays in its boot loader."""
    written = b"".join(uf2.in_write_order(uf2.Uf2(None, tuple(image_blocks()))))
    blocks = len(written) // 512
    flash = Flash()
    if before:
        flash.take(b"".join(image_blocks(before)))
        flash.boot_loader = BootLoader(flash.write, flash.restart)
    flash.restarted = 0
    flash.take(uf2.reset_block())
    starts = []
    for number in range(blocks):
        flash.take(written[number * 512 : number * 512 + 512])
        starts.append(has_boot_stage(bytes(flash.bytes[:256])))
    last = max(number for number in range(blocks) if written[number * 512 : number * 512 + 4] == b"UF2\n")
    assert starts[:last].count(True) == 0 and starts[last]
    assert flash.holds(image_blocks()) and flash.restarted == 1


def test_an_image_is_not_finished_with_the_blocks_of_another():
    """Two images of one length are one file to the boot loader, unless it is restarted."""
    one, other = image_blocks(1), image_blocks(2)
    for begun in range(1, PAGES):
        flash = Flash()
        flash.take(b"".join(uf2.in_write_order(uf2.Uf2(None, tuple(one))))[: begun * 512])
        flash.take(uf2.reset_block() + b"".join(uf2.in_write_order(uf2.Uf2(None, tuple(other)))))
        assert flash.holds(other) and flash.restarted == 1
    mixed = Flash()
    mixed.take(b"".join(one[: PAGES // 2]) + b"".join(other))
    assert mixed.restarted == 1 and not mixed.holds(other)  # what would come of it


def test_what_is_written_to_a_drive(tmp_path, file):
    read = uf2.read(file, CODE_END)
    done = []
    drives.write_image(read, tmp_path, done.append)
    flash = Flash()
    flash.take((tmp_path / "BEGIN.UF2").read_bytes() + (tmp_path / "CISTERNA.UF2").read_bytes())
    assert flash.holds(image_blocks()) and done[-1] == 1 and done == sorted(done)
    with pytest.raises(drives.DriveGone, match="went away at 0 %"):
        drives.write_image(read, tmp_path / "gone", done.append)


def test_a_drive_shows_itself_by_its_file(tmp_path):
    assert not drives.is_boot_drive(tmp_path)
    (tmp_path / bootsel.INFO).write_text("UF2 Bootloader v1.0\nBoard-ID: another-board\n")
    assert not drives.is_boot_drive(tmp_path)
    (tmp_path / bootsel.INFO).write_text("UF2 Bootloader v2.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n")
    assert drives.is_boot_drive(tmp_path)
    assert tmp_path not in drives.find()  # a folder is no drive


# -- signing


@pytest.fixture(scope="module")
def authority():
    return keys.generate()


def test_a_signed_image_is_verified(file, authority, tmp_path):
    out = tmp_path / "image.image"
    signed_files.write(out, image_files.sign(file, authority).model_dump(), replace=False)
    signed = image_files.read(out)
    image_files.check_file(file, signed)
    image_files.check_signature(signed, authority.modulus_hex)
    assert json.loads(out.read_text())["kind"] == "image" and tuple(image_files.manifest(signed)) == image_files.KEYS


def test_an_unsigned_change_is_found(file, authority, tmp_path):
    """Another key, another text, another file."""
    signed = image_files.sign(file, authority)
    with pytest.raises(image_files.SignatureWrong, match="is not by authority"):
        image_files.check_signature(signed, keys.generate().modulus_hex)
    edited = signed.model_copy(update={"document": signed.document.replace("therapy", "Therapy")})
    with pytest.raises(image_files.SignatureWrong):
        image_files.check_signature(edited, authority.modulus_hex)
    for signature in ("", "00", signed.signature[:-2], signed.signature + "00"):
        with pytest.raises(image_files.SignatureWrong):
            image_files.check_signature(signed.model_copy(update={"signature": signature}), authority.modulus_hex)
    data = bytearray(file.read_bytes())
    data[5 * 512 + 40] ^= 1
    file.write_bytes(data)
    with pytest.raises(image_files.SignatureWrong, match="uf2_sha256 is"):
        image_files.check_file(file, signed)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"kind":"image"}', '{"kind":"people","document":"{}","signature":""}',
     '{"kind":"image","document":"{}","signature":""}', '{"kind":"image","document":7,"signature":""}',
     *(json.dumps({"kind": "image", "document": document, "signature": "0" * 768})
       for document in ("{}", "[" * 5000, "x", "7"))],
)  # fmt: skip
def test_a_file_that_is_no_signed_manifest(tmp_path, text):
    path = tmp_path / "wrong.image"
    path.write_text(text)
    with pytest.raises(CisternaError, match=f"{path}: .*allowed: |{path}: not JSON"):
        image_files.read(path)


def test_sign_and_verify_as_commands(file, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    run = CliRunner().invoke
    out = tmp_path / "signed.image"
    signed = run(app, ["image", "sign", str(file), "--key", "bench:authority", "--out", str(out)])
    assert signed.exit_code == 0 and "build 0123456789abcdef, therapy, signed" in signed.stdout
    verified = run(app, ["image", "verify", str(file), str(out), "--authority", "bench:authority"])
    assert verified.exit_code == 0 and "signed by authority" in verified.stdout
    assert crc32(out.read_bytes()) and "PRIVATE" not in out.read_text()
    refused = run(app, ["image", "verify", str(file), str(out), "--authority", "bench:second"])
    assert refused.exit_code == 2 and len(refused.stderr.splitlines()) == 1
    again = run(app, ["image", "sign", str(file), "--key", "bench:authority", "--out", str(out)])
    assert again.exit_code == 2 and "is there already" in again.stderr
    forced = run(app, ["image", "sign", str(file), "--key", "bench:authority", "--out", str(out), "--force"])
    assert forced.exit_code == 0


def _other_family(data: bytes) -> bytes:
    return data.replace(uf2.FAMILY.to_bytes(4, "little"), 0xE48BFF59.to_bytes(4, "little"))


@pytest.mark.parametrize(
    "broken",
    [
        lambda data: data[:-100],
        _other_family,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: block(0, 2, family=0xE48BFF57, address=0x10FFFF00) + data,
        lambda data: data.decode("latin-1").encode("utf-8"),
        lambda data: data.replace(b" commit=", b" c0mmit="),
        lambda data: b"",
    ],
)
def test_an_image_that_flash_refuses_is_not_signed(file, tmp_path, monkeypatch, broken):
    """SEC-06."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    file.write_bytes(broken(file.read_bytes()))
    with pytest.raises(CisternaError):
        uf2.read_for_pump(file)
    out = tmp_path / "signed.image"
    ran = CliRunner().invoke(app, ["image", "sign", str(file), "--key", "bench:authority", "--out", str(out)])
    assert ran.exit_code == 2 and len(ran.stderr.splitlines()) == 1 and not out.exists()


def test_an_image_of_uncommitted_firmware_is_signed_only_when_asked(tmp_path, monkeypatch):
    """What no commit has cannot be made again, nor looked at by anybody."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    file = tmp_path / "image.uf2"
    file.write_bytes(b"".join(image_blocks(commit="abc-dirty")))
    command = ["image", "sign", str(file), "--key", "bench:authority"]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2 and "commit held abc-dirty" in refused.stderr and "--dirty" in refused.stderr
    assert not file.with_suffix(".image").exists()
    assert CliRunner().invoke(app, [*command, "--dirty"]).exit_code == 0
    assert image_files.manifest(image_files.read(file.with_suffix(".image")))["commit"] == "abc-dirty"
