"""The restart into the boot loader, to flash another image: only for a manifest signed by the authority."""

from pump.authority import image_manifest
from pump.base import states
from pump.base.refusal import Refused
from pump.storage import records


class ImageUpdate:
    """wants_boot_loader: True if the main loop must restart into the boot loader after the answer is sent."""

    def __init__(self, therapy, trust, access, relief):
        self._therapy = therapy
        self._trust = trust
        self._access = access
        self._relief = relief
        self.wants_boot_loader = False

    def leave_in_pieces(self, document, signature_hex):
        """Work in pieces: checks the image manifest `document` and requests the restart.

        Requires that the therapy was ended: after the restart the pump needs a new prescription anyway.
        Refused: image_*.
        """
        therapy = self._therapy
        values = yield from image_manifest.admit_in_pieces(document, signature_hex, self._trust)
        if therapy.moving() or therapy.motion.in_flight or self._relief.active:
            held = states.NAMES[therapy.state]
            raise Refused("image_infusing", {"key": "state", "held": held, "allowed": "stopped"})
        if therapy.started and not therapy.needs_rx:
            raise Refused("image_therapy", {"key": "rx", "held": therapy.rx.hash8, "do": "end the therapy first"})
        words = (self._access.number, records.word_of(values["build"]))
        therapy.event_log.note(records.BOOT_LOADER, words)
        therapy.confirmation.drop()
        therapy.require_prescription()  # START has no effect from here on
        therapy.save_all()
        self.wants_boot_loader = True
