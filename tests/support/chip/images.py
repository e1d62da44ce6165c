"""The images that the tests run, as `make image` builds them."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("CISTERNA_IMAGE_DIR") or ROOT / "build" / "image")


def find(variant: str) -> Path:
    """The .uf2 of `therapy` or `development`. A missing image or emulator skips the test; in CI it fails."""
    if importlib.util.find_spec("rp2040py") is None:
        skip_or_fail("the emulated chip is not installed: pip install -e '.[target]'")
    image = FOLDER / f"cisterna-{variant}.uf2"
    if not image.is_file():
        skip_or_fail(f"there is no {image}: make it with `make image`, or name its folder in CISTERNA_IMAGE_DIR")
    return image


def facts(image: Path) -> dict[str, Any]:
    """Facts of the build of an image: the .json beside it."""
    return json.loads(image.with_suffix(".json").read_text(encoding="utf-8"))


def skip_or_fail(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
