"""A complete read-only client of PROTOCOL.md: `python example_client.py /dev/ttyUSB0` prints state and records.

Needs pyserial and nothing of this project.
"""

import base64
import json
import sys
import zlib

import serial


class Client:
    def __init__(self, port):
        self._port = serial.Serial(port, 921_600, timeout=2, exclusive=True)
        self._port.write(b"\n")  # ends a partial line of another program
        self._number = 0

    def ask(self, method, **params):
        """The result of a question. Repeats it without an answer; a question changes nothing."""
        for _ in range(3):
            self._number += 1
            request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
            line = b"%d %s" % (self._number, json.dumps(request).encode())
            self._port.write(b"%s %08x\n" % (line, zlib.crc32(line)))
            while answer := self._port.readline():
                checked, _, crc = answer.rstrip().rpartition(b" ")
                number, _, body = checked.partition(b" ")
                if crc == b"%08x" % zlib.crc32(checked) and number == b"%d" % self._number:
                    return json.loads(body)["result"]  # KeyError: refused; the body says why
        raise TimeoutError(f"{method}: no answer")

    def records(self):
        """All records, 64 bytes each, oldest first."""
        first = 0
        while (block := self.ask("records.read", **{"from": first, "max": 48}))["count"]:
            data = base64.b64decode(block["data"])
            yield from (data[at : at + 64] for at in range(0, len(data), 64))
            first = block["first"] + block["count"]


if __name__ == "__main__":
    client = Client(sys.argv[1])
    print(json.dumps({"hello": client.ask("hello"), "state": client.ask("state")}))
    for record in client.records():
        print(record.hex())
