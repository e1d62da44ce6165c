"""The commands of the link that begin and end a session."""

from pump.authority.access import BY_PERSON, ROLES
from pump.link.params import param


class SessionCommands:
    """Each method takes the parameters (dict) of a request and returns the result (dict). Refused: as in Access."""

    def __init__(self, pump):
        self._pump = pump

    def challenge(self, params):
        """The text that `person` must sign to log on; `time`: the document may state the time."""
        return {"challenge": self._pump.access.challenge(param(params, "person", str)), "time": True}

    def log_on_in_pieces(self, params):
        """Work in pieces: checks the signed log-on `document` and opens the session."""
        access = self._pump.access
        yield from access.log_on_in_pieces(param(params, "document", str), param(params, "signature", str))
        self._pump.time_signed()
        return {"session": access.session, "role": ROLES[access.role]}

    def log_off(self, params):
        """Ends the session."""
        self._pump.access.log_off(BY_PERSON)
        return {}
