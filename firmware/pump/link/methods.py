"""The methods of the link, each with its handler and the roles that may call it.

A question changes nothing and needs no log-on. A command needs the role of a person, except a pause. A document that
carries a dose or a role is signed too, and takes effect only after a key press at the pump: nothing remote raises a
dose [decision 11, SEC-07].
"""

from pump.authority.access import CLINICIAN, SERVICE
from pump.link.document_commands import DocumentCommands
from pump.link.questions import Questions
from pump.link.session_commands import SessionCommands
from pump.link.therapy_commands import TherapyCommands

ANYBODY = ()  # roles of a command that needs no log-on
PAUSE = "therapy.pause"  # needs no log-on, but is recorded with its sender if there is one [SEC-02]

# Each command by its number in the records [records.COMMAND]: append only, and leave the place of one that is gone.
NAMES = (
    "access.challenge", "access.log_off", "access.log_on", "bolus.clinician", "clock.set",
    "document.begin", "document.commit", "document.put", "image.bootsel", "prime",
    "provision.load", "reservoir.refill", "rx.load", PAUSE, "therapy.stop",
)  # fmt: skip

_CLINICIAN = (CLINICIAN,)
_SERVICE = (SERVICE,)
_BOTH = (CLINICIAN, SERVICE)


class Methods:
    """The methods of one pump. `about`, `heap_used`: see Questions.

    questions  {name: handler}
    commands   {name: (roles, handler)}

    A handler takes the parameters (dict) and returns the result: a dict, or a generator that returns a dict (work in
    pieces). It raises BadParams or Refused.
    """

    def __init__(self, pump, about, heap_used):
        self._pump = pump
        ask = Questions(pump, about, heap_used)
        session = SessionCommands(pump)
        therapy = TherapyCommands(pump)
        document = DocumentCommands(pump)
        self.questions = {
            "hello": ask.hello,
            "state": ask.state,
            "rx.read": ask.staged_rx,
            "records.read": ask.read_records_in_pieces,
        }
        self.commands = {
            "access.challenge": (ANYBODY, session.challenge),
            "access.log_on": (ANYBODY, session.log_on_in_pieces),
            "access.log_off": (_BOTH, session.log_off),
            PAUSE: (ANYBODY, therapy.pause),
            "therapy.stop": (_CLINICIAN, therapy.stop_in_pieces),
            "rx.load": (_CLINICIAN, therapy.load_rx_in_pieces),
            "prime": (_CLINICIAN, therapy.prime),
            "bolus.clinician": (_CLINICIAN, therapy.order_bolus_in_pieces),
            "reservoir.refill": (_CLINICIAN, therapy.refill),
            "clock.set": (_BOTH, therapy.set_clock),
            "provision.load": (ANYBODY, document.load_provisioning_in_pieces),
            "document.begin": (_SERVICE, document.begin),
            "document.put": (_SERVICE, document.put),
            "document.commit": (_SERVICE, document.commit_in_pieces),
            "image.bootsel": (_SERVICE, document.enter_boot_loader_in_pieces),
        }

    def roles_of(self, name):
        """The roles that may call the command `name` now; ANYBODY for `document.*` on a pump without people."""
        roles = self.commands[name][0]
        if roles is _SERVICE and name.startswith("document.") and self._pump.trust.people is None:
            return ANYBODY
        return roles
