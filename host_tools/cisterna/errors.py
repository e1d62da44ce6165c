"""The expected errors. Their text names the thing, the value found and the values allowed, one problem a line."""

from typing import Any


class CisternaError(Exception):
    """Base of all expected errors. `str()` is the text to print; `exit_status` that of the command."""

    exit_status = 2


class ScenarioError(CisternaError):
    """The scenario file is not valid; nothing was run."""


class DocumentError(CisternaError):
    """A document that cannot be written or read as stated: the key, the value found, the values allowed."""


class NotYet(CisternaError):
    """The contract has this feature; this version does not."""


class InstallError(CisternaError):
    """A part of the installation is missing."""


class OutputError(CisternaError):
    """An output file cannot be written."""


class TargetFailed(CisternaError):
    """The bench failed: the simulated board died, or the firmware ended with an error."""

    exit_status = 70


class LinkError(CisternaError):
    """The pump sent something that is not the line protocol."""

    exit_status = 70


class LinkSilent(LinkError):
    """No answer in time: the pump is off, starting, or gone."""


class DeployRefused(CisternaError):
    """The board, its image or its port is not suitable. The board is unchanged."""


class BoardFailed(CisternaError):
    """The board failed, or did not answer."""

    exit_status = 70


class PumpRefused(CisternaError):
    """The pump understood the request and refused it. Nothing was changed.

    code     the pump's error code (`rx_limit_24h`)
    message  the pump's sentence
    detail   further values of the answer
    """

    def __init__(self, code: str, message: str = "", detail: dict[str, Any] | None = None):
        self.code = code
        self.detail: dict[str, Any] = detail or {}
        self.message = message
        super().__init__(self._text())

    def _text(self) -> str:
        if self.message.startswith(self.code):  # the pump's own sentence is complete
            return f"the pump refused: {self.message}"
        details = ", ".join(f"{key} {value}" for key, value in self.detail.items() if key != "code")
        parts = [self.code, *([self.message] if self.message else []), *([details] if details else [])]
        return "the pump refused: " + ": ".join(parts)
