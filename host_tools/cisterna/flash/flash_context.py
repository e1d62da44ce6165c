"""The inputs of one flash run, and what a flash run needs of a pump's client."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cisterna.errors import CisternaError
from cisterna.flash.drives import Progress
from cisterna.flash.journal import Journal
from cisterna.flash.uf2 import Uf2
from cisterna.image import image_files
from cisterna.pharmacy.signed_files import SignedFile

if TYPE_CHECKING:
    from cisterna.pharmacy.keys import Signer


class FlashRefused(CisternaError):
    """The time, the image or the board is wrong. Nothing was changed."""


class FlashBroken(CisternaError):
    """The run stopped half way. The same command continues where possible."""

    exit_status = 70


class FlashablePump(Protocol):
    """The part of `link.pump_client.PumpClient` that flashing uses."""

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]: ...

    def command(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]: ...

    def log_on(self, person: str, signer: Signer, role: str) -> Any: ...

    def close(self) -> None: ...


@dataclass
class FlashContext:
    """The inputs of one flash run.

    boards     returns the drives of the boards that are in their boot loader now
    connect    opens a new connection to the pump; None: a board without a pump on the link
    address    the pump's address on the link
    by         name of the person who flashes; `signer` is that person's key
    authority  modulus, 768 hex digits; None: only the pump checks the image's signature
    stage      called with the name of each stage before the stage begins
    progress   called with the share of the image that is copied, 0 to 1
    sleep      waits, s
    clock      monotonic time, s
    facts      build, commit, variant and uf2_sha256 of the image; set here
    Raises FlashRefused if the image file changed after `image` was read.
    """

    image: Uf2
    signed: SignedFile | None
    journal: Journal
    boards: Callable[[], list[Path]]
    connect: Callable[[], FlashablePump] | None = None
    address: str | None = None
    by: str | None = None
    signer: Signer | None = None
    authority: str | None = None
    stage: Callable[[str], None] = lambda name: None
    progress: Progress = lambda done: None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    facts: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.facts = image_files.facts(self.image.path)
        if self.facts["uf2_sha256"] != self.image.sha256:  # all later checks are of the bytes that are written
            raise FlashRefused(f"image held {self.image.path}, which was changed while it was read; run this again")
