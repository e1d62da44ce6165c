"""A desk at which a pump is flashed: the emulated pump with its drive, in the time of its own world."""

from collections.abc import Callable
from pathlib import Path

from cisterna.bench.rp2040.bootsel import Drive
from cisterna.bench.rp2040.target import Rp2040Target
from cisterna.flash import drives, flashing, uf2
from cisterna.flash.journal import Journal
from cisterna.image import product, sign
from cisterna.link.pump import Pump
from cisterna.link.transport import TargetTransport
from cisterna.pharmacy import keys, provision

SERIAL = "BENCH-0001"
RTC_S = 1_790_000_000
ADDRESS = "the pump on the desk"
OTHER_BUILD = "0123456789abcdef"
CODE_END = 0xC0000
VAULT = slice(0xF0000, 0x100000)
LOG = slice(0x100000, 0x200000)


def renamed(image: Path, into: Path, build: str = OTHER_BUILD) -> Path:
    """An image that differs from `image` in nothing but the number that it says it is."""
    data = image.read_bytes()
    blocks = [data[start : start + 512] for start in range(0, len(data), 512)]
    pages = b"".join(block[32:288] for block in blocks)
    old = product.read(image).split()[1].removeprefix("build=").encode()
    pages = pages.replace(old, build.encode())
    into.write_bytes(
        b"".join(
            block[:32] + pages[number * 256 : number * 256 + 256] + block[288:] for number, block in enumerate(blocks)
        )
    )
    return into


class FlashDesk:
    """The pump on the desk runs one image and is provisioned with the bench keys; another is to be put on it."""

    def __init__(self, runs: Path, wanted: Path, folder: Path, signer: keys.Signer | None = None):
        self.keys = keys.bench_keys(folder.parent / "keys")
        self.target = Rp2040Target(runs)
        self.target.start(provision.bench_target_config(SERIAL, self.keys) | {"rtc_unix_s": RTC_S})
        self.chip = self.target.chip
        self.drive = folder / "drive"
        self._served = Drive(self.chip, self.drive)
        self.journal = Journal(folder / "journal")
        self.stages: list[str] = []
        self.wanted = wanted
        self.signed = sign.sign(wanted, signer or self.keys.authority)
        self.sleep(2)

    def sleep(self, seconds: float) -> None:
        self.target.run_until(self.target.now_ms + round(seconds * 1000))
        self._served.serve()

    def wall_s(self) -> float:
        return RTC_S + self.target.now_ms / 1000

    def boards(self) -> list[Path]:
        self._served.serve()
        return [self.drive] if drives.is_boot_drive(self.drive) else []

    def connect(self) -> Pump:
        pump = Pump(TargetTransport(self.target))
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
        """As the command would; `stage` and `progress` may raise."""

        def noted(name: str) -> None:
            self.stages.append(name)
            stage(name)

        desk = flashing.Desk(
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
