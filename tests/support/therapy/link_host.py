"""A host on the link: the host tools' lines and tokens, joined to the pump's server without a cable."""

import json

from cisterna.link.protocol import Reply, Requests, Tokens, unframe
from pump.link.protocol import Server

from support.therapy.therapy_rig import SERIAL, SIGNATURE, signatures_believed


class LinkHost:
    """The host's end of the link to a rig's pump; the clinician is logged on."""

    def __init__(self, rig):
        self.rig = rig
        self.server = Server(rig.pump, {}, lambda: 0)
        self.requests = Requests()
        tokens = Tokens(200)
        challenge = self.ask("access.challenge", person="clinician")["challenge"]
        text = json.dumps({
            "type": "log_on", "version": 1, "serial": SERIAL, "challenge": challenge,
            "person": "clinician", "role": "clinician", "anchor": tokens.anchor,
        })  # fmt: skip
        opened = self.ask("access.log_on", document=text, signature=SIGNATURE)
        self.requests.logged_on(opened["session"], tokens)

    def ask(self, method, **params):
        """Result of a request. Raises PumpRefused."""
        return self.send(self.requests.line(method, params)[1])

    def send(self, line):
        """Send a line. Returns the result of its answer; raises PumpRefused."""
        with signatures_believed():
            said = self.server.answer(line)
        return Reply(unframe(said)[1]).result()
