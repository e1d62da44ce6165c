"""Flashing an emulated pump: the pump and its boot loader drive, in the time of its own world."""

from collections.abc import Callable
from pathlib import Path

from cisterna.bench.rp2040.bootsel import BootDrive
from cisterna.bench.rp2040.target import Rp2040Target
from cisterna.bench.target_transport import TargetTransport
from cisterna.flash import drives, flash_context, flashing, uf2
from cisterna.flash.journal import Journal
from cisterna.image import image_files, product
from cisterna.link.pump_client import PumpClient
from cisterna.pharmacy import keys, provision

SERIAL = "BENCH-0001"
RTC_S = 1_790_000_000
ADDRESS = "the pump on the desk"
CODE_END = 0xC0000
VAULT = slice(0xF0000, 0x100000)
LOG = slice(0x100000, 0x200000)


def renamed(image: Path, into: Path, by: int = 1) -> Path:
    """A copy of `image` that differs only in the first digit of its build number, by `by`.

    The other digits stay: the linker lets a short string share the end of a longer one, as "a" that of "...0a".
    """
    data = image.read_bytes()
    blocks = [data[start : start + 512] for start in range(0, len(data), 512)]
    pages = b"".join(block[32:288] for block in blocks)
    old = product.read(image).split()[1].removeprefix("build=").encode()
    pages = pages.replace(old, b"%x" % ((int(old[:1], 16) + by) % 16) + old[1:])
    into.write_bytes(
        b"".join(
            block[:32] + pages[number * 256 : number * 256 + 256] + block[288:] for number, block in enumerate(blocks)
        )
    )
    return into


class FlashBench:
    """A pump that runs image `runs`, provisioned with the bench keys; image `wanted` is to be flashed."""

    def __init__(self, runs: Path, wanted: Path, folder: Path, signer: keys.Signer | None = None):
        self.keys = keys.bench_keys(folder.parent / "keys")
        self.target = Rp2040Target(runs)
        self.target.start(provision.bench_target_config(SERIAL, self.keys) | {"rtc_unix_s": RTC_S})
        self.chip = self.target.chip
        self.drive = folder / "drive"
        self._served = BootDrive(self.chip, self.drive)
        self.journal = Journal(folder / "journal")
        self.stages: list[str] = []
        self.wanted = wanted
        self.signed = image_files.sign(wanted, signer or self.keys.authority)
        self.sleep(2)

    def sleep(self, seconds: float) -> None:
        self.target.run_until(self.target.now_ms + round(seconds * 1000))
        self._served.serve()

    def wall_s(self) -> float:
        return RTC_S + self.target.now_ms / 1000

    def boards(self) -> list[Path]:
        self._served.serve()
        return [self.drive] if drives.is_boot_drive(self.drive) else []

    def connect(self) -> PumpClient:
        pump = PumpClient(TargetTransport(self.target))
        pump.connect()
        return pump

    def build(self) -> str:
        return self.connect().ask("hello")["build"]

    def power_cycle(self) -> None:
        self.target.act("power", off_for_s=1)
        self.sleep(4)

    def flash(
        self,
        is_new: bool = False,
        stage: Callable[[str], None] = lambda name: None,
        progress: Callable[[float], None] = lambda done: None,
        image: Path | None = None,
    ):
        """Flash as the command does; `stage` and `progress` may raise."""

        def noted(name: str) -> None:
            self.stages.append(name)
            stage(name)

        desk = flash_context.FlashContext(
            image=uf2.read(image or self.wanted, CODE_END),
            signed=self.signed,
            journal=self.journal,
            boards=self.boards,
            connect=None if is_new else self.connect,
            address=None if is_new else ADDRESS,
            by="service",
            signer=self.keys.service,
            stage=noted,
            progress=progress,
            sleep=self.sleep,
            clock=lambda: self.target.now_ms / 1000,
        )
        self.stages = []
        return flashing.flash(desk, is_new)
