"""Every error a person meets: a line that names the thing, what it held and what is allowed."""


class CisternaError(Exception):
    """Base of all expected errors. `str()` is the text to print, one problem a line."""

    exit_status = 2


class ScenarioError(CisternaError):
    """The scenario file is not valid; nothing was run."""


class NotYet(CisternaError):
    """The contract has it, this version does not."""


class InstallError(CisternaError):
    """A part of the installation is not where it must be."""


class OutputError(CisternaError):
    """A file that was asked for cannot be written."""


class TargetFailed(CisternaError):
    """The bench itself broke: the simulated board died, or the firmware ended with an error."""

    exit_status = 70


class LinkError(CisternaError):
    """The pump said something that is not the line protocol."""

    exit_status = 70


class LinkSilent(LinkError):
    """No answer in time: the pump is off, starting, or gone."""


class DeployRefused(CisternaError):
    """The board, or the way to it, is not as it must be. Nothing on it was changed."""


class BoardSilent(CisternaError):
    """The board did not do what it was told, or said nothing at all."""

    exit_status = 70


class PumpRefused(CisternaError):
    """The pump understood and refused. It changed nothing.

    `code` is the pump's own stable word (`rx_limit_24h`), `detail` what it said besides.
    """

    def __init__(self, code: str, message: str = "", detail: dict | None = None):
        self.code = code
        self.detail = detail or {}
        self.message = message
        super().__init__(self._text())

    def _text(self) -> str:
        if self.message.startswith(self.code):  # the pump's own sentence has all of it
            return f"the pump refused: {self.message}"
        said = ", ".join(f"{key} {value}" for key, value in self.detail.items() if key != "code")
        parts = [self.code, *([self.message] if self.message else []), *([said] if said else [])]
        return "the pump refused: " + ": ".join(parts)
