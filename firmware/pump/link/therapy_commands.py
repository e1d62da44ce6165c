"""The commands of the link about the therapy: pause, stop, prescriptions, priming, boluses, refills, the wall clock.

None raises a dose: a signed document is staged only, and counts after a key press at the pump [decision 11, SEC-07].
"""

from pump.base import states
from pump.base.refusal import Refused
from pump.dosing import limits
from pump.link.params import param, require_texts
from pump.link.questions import readback
from pump.prescribing import stop_order


class TherapyCommands:
    """Each method takes the parameters (dict) of a request and returns the result (dict).

    Refused: codes of Controller and ClinicianActions.
    """

    def __init__(self, pump):
        self._pump = pump

    def pause(self, params):
        """Stops the motor and ends a bolus. The START key resumes the therapy."""
        self._pump.start_stop.pause()
        return {"state": states.NAMES[self._pump.therapy.state]}

    def stop_in_pieces(self, params):
        """Work in pieces: checks the signed order to end the therapy, and ends it. Only a new prescription follows.

        Refused: codes of stop_order.admit_in_pieces.
        """
        require_texts(params, ("document", "by", "signature"))
        pump, therapy = self._pump, self._pump.therapy
        order = yield from stop_order.admit_in_pieces(
            params["document"], params["by"], params["signature"], pump.trust, lambda: (therapy.sequence, therapy.rx)
        )
        therapy.use_sequence(order.sequence)
        pump.start_stop.end_therapy(pump.trust.people.number_of(params["by"]))
        return {"state": states.NAMES[self._pump.therapy.state]}

    def load_rx_in_pieces(self, params):
        """Work in pieces: checks a signed prescription, stages it and reads it back."""
        document = param(params, "document", str)
        signatures = param(params, "signatures", dict)
        for role in signatures:
            require_texts(param(signatures, role, dict), ("by", "signature"))
        override = params.get("override")
        if override is not None:
            require_texts(param(params, "override", dict), ("document", "by", "signature"))
        rx = yield from self._pump.load_prescription_in_pieces(document, signatures, override)
        return readback(rx)

    def prime(self, params):
        """Stages the priming of the line, in nL. Refused: prime_connected."""
        if params.get("disconnected") is not True:
            raise Refused("prime_connected", {"key": "disconnected", "allowed": "true, seen by the clinician"})
        return {"nl": self._pump.start_stop.make_ready_to_prime()}

    def order_bolus_in_pieces(self, params):
        """Work in pieces: checks a signed clinician's bolus and stages it, or gives the reason why it cannot start."""
        require_texts(params, ("document", "by", "signature"))
        reason = yield from self._pump.clinician_actions.order_bolus_in_pieces(
            params["document"], params["by"], params["signature"]
        )
        return {"staged": reason == limits.ACCEPTED, "reason": limits.REASONS[reason]}

    def refill(self, params):
        """Books the syringe that is in. Volumes in uL; `returned_ul` None: the old syringe was not measured."""
        returned = params.get("returned_ul")
        if returned is not None:
            returned = param(params, "returned_ul", int)
        self._pump.clinician_actions.refill(
            param(params, "fill_ul", int), returned,
            param(params, "drug", str), param(params, "concentration_ug_per_ml", int), param(params, "syringe", str),
        )  # fmt: skip
        return {"remaining_nl": self._pump.therapy.reservoir.remaining_nl()}

    def set_clock(self, params):
        """Sets the wall clock to `utc_s`, Unix seconds."""
        self._pump.clinician_actions.set_clock(param(params, "utc_s", int))
        return {"utc_s": self._pump.therapy.wall_clock.unix_s()}
