"""A host at the other end of the link: the pump's own server, the host's own lines and tokens, and no cable between."""

import json

from cisterna.link.client import Reply, Requests, Tokens, unframe
from pump.protocol import Server

from model.rig import SERIAL, SIGNATURE, signatures_believed


class Host:
    """The host's end of the link to a rig's pump, with the clinician logged on."""

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
        """The result of a request; PumpRefused."""
        return self.say(self.requests.line(method, params)[1])

    def say(self, line):
        """The result in the answer to a line, all of its work done at once."""
        with signatures_believed():
            said = self.server.answer(line)
        return Reply(unframe(said)[1]).result()
