"""Work in pieces: long work as a generator, so that the pump can drive its motor between two pieces.

The rule for such a generator: its name is `<verb>_in_pieces`. It yields None where the pump may turn to its motor,
returns the result of the work, and raises Refused as a plain function would. The state of the pump may change between
two pieces, so a check on which the result rests stands after the last yield. The link runs the work piece by piece
(`protocol.Server.go_on`); `finish` runs it to its end.

A signature check takes 0.3 s on the RP2040, in which no motion could be granted; in 17 pieces of 20 ms it delays
nothing.
"""


def finish(work):
    """Runs the generator `work` to its end and returns its result. Raises what `work` raises."""
    try:
        while True:
            next(work)
    except StopIteration as end:
        return end.value
