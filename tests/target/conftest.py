"""What the tests on the chip share: the images."""

from pathlib import Path

import pytest
from support.chip import images


@pytest.fixture(scope="session")
def therapy() -> Path:
    """The image that a pump carries."""
    return images.find("therapy")


@pytest.fixture(scope="session")
def development() -> Path:
    """The image that an engineer works with."""
    return images.find("development")
