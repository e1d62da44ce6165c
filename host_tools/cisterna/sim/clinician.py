"""The clinician of a scenario: one action at a time, each with a log-on of its own; obeys a stop key.

A second person can act while an action is unfinished. The action then waits for its turn; an order of a bolus, which
has to be decided within 2 s, waits only for quick actions and is refused `busy` otherwise.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cisterna.errors import LinkSilent, PumpRefused
from cisterna.link.protocol import Tokens
from cisterna.pharmacy import documents, sign
from cisterna.pharmacy.keys import ClinicKeys
from cisterna.sim import bench_pharmacy
from cisterna.sim.script_player import Ask, Script, ScriptPlayer, WaitUntil

POLL_MS = 20  # interval at which an action looks whether its turn has come
QUICK = frozenset({"clinician_bolus", "cancel", "clock"})  # finished within a second: an order waits for them
PERSON = "clinician"


@dataclass(eq=False)
class _Turn:
    """An action that waits or is being done. stops_before: stop keys that had been pressed when it was asked for."""

    do: str
    stops_before: int


class Clinician:
    """Of one pump. powered: whether the pump has power; boots: how often it has started up; utc_s: the time of day."""

    def __init__(
        self,
        player: ScriptPlayer,
        clinic: ClinicKeys,
        powered: Callable[[], bool],
        boots: Callable[[], int],
        utc_s: Callable[[], int],
    ):
        self._player = player
        self._keys = clinic
        self._powered = powered
        self._boots = boots
        self._utc_s = utc_s
        self._turns: list[_Turn] = []  # the first is being done
        self._stops_ms: list[int] = []  # contact of each stop key of the file, world time

    @property
    def busy(self) -> bool:
        """True while an action is unfinished."""
        return bool(self._turns)

    def stop_key(self, contact_ms: int) -> None:
        """Somebody presses the stop key at this world time, now or soon."""
        self._stops_ms.append(contact_ms)

    def sees_stop(self) -> bool:
        """True if a stop key was pressed since the present action was asked for: START must not undo it."""
        since = self._turns[0].stops_before if self._turns else len(self._stops_ms)
        return any(contact_ms <= self._player.now_ms for contact_ms in self._stops_ms[since:])

    def act(self, do: str, script: Callable[[], Script], refused: Callable[[str], None]) -> Script:
        """Do an action of the file in its turn. `refused` is called with the code of its refusal."""
        if not self._powered():
            refused("off")
            return
        if do == "clinician_bolus" and any(turn.do not in QUICK for turn in self._turns):
            refused("busy")
            return
        boots = self._boots()
        try:
            yield from self.turn(do, script)
        except PumpRefused as refusal:
            refused(refusal.code if self._powered() and self._boots() == boots else "off")
        except LinkSilent:
            refused("link" if self._powered() and self._boots() == boots else "off")

    def turn(self, do: str, script: Callable[[], Script]) -> Script:
        """Play `script` with the clinician logged on, after every action that was asked for before it.

        Returns its result. Raises PumpRefused, LinkSilent.
        """
        turn = _Turn(do, len(self._stops_ms))
        self._turns.append(turn)
        try:
            while self._turns[0] is not turn:
                yield WaitUntil(self._player.now_ms + POLL_MS)
            if not self._powered():
                raise LinkSilent("the pump has no power")
            yield from self._log_on()
            result = yield from script()
            yield from self._log_off()
        except PumpRefused:
            yield from self._log_off()
            raise
        finally:
            self._player.logged_off()
            self._turns.remove(turn)
        return result

    def _log_on(self) -> Script:
        challenge = (yield Ask("access.challenge", {"person": PERSON})).result["challenge"]
        tokens = Tokens()
        text = documents.log_on(
            serial=bench_pharmacy.SERIAL, challenge=challenge, person=PERSON, role="clinician", anchor=tokens.anchor,
            utc_s=self._utc_s(),
        )  # fmt: skip
        params: dict[str, Any] = {"document": text, "signature": sign.signature_hex(text, self._keys.clinician)}
        opened = (yield Ask("access.log_on", params)).result
        self._player.logged_on(opened["session"], tokens)

    def _log_off(self) -> Script:
        """End the session; it has ended already if the pump was without power."""
        with contextlib.suppress(PumpRefused, LinkSilent):
            yield Ask("access.log_off")
