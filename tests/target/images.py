"""The images that the tests run, as `make image` leaves them."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("CISTERNA_IMAGE_DIR") or ROOT / "build" / "image")


def find(variant: str) -> Path:
    """The .uf2 of `therapy` or `development`. What is missing skips the test; in CI, where nothing may be, it fails."""
    if importlib.util.find_spec("rp2040py") is None:
        lack("the emulated chip is not installed: pip install -e '.[target]'")
    image = FOLDER / f"cisterna-{variant}.uf2"
    if not image.is_file():
        lack(f"there is no {image}: make it with `make image`, or name its folder in CISTERNA_IMAGE_DIR")
    return image


def facts(image: Path) -> dict[str, Any]:
    """What the build says of an image: the .json beside it."""
    return json.loads(image.with_suffix(".json").read_text(encoding="utf-8"))


def lack(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
