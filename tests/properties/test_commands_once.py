"""Whatever is said again, and in whatever order it comes: each command is done once and answered the same."""

from hypothesis import given
from hypothesis import strategies as st
from model.host import Host
from model.reference import Prescription
from model.rig import Rig

RX = Prescription(basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800)
KEPT = 4  # answers that the pump can give again

NEW = st.tuples(st.just("new"), st.sampled_from(["therapy.pause", "therapy.stop", "prime", "clock.set", "rx.load"]))
AGAIN = st.tuples(st.just("again"), st.integers(1, KEPT))  # the last one, or one before it
ASK = st.tuples(st.just("ask"), st.sampled_from(["hello", "state"]))
KEY = st.tuples(st.just("key"), st.sampled_from(["start", "stop"]))
PARAMS = {"clock.set": {"utc_s": 1_800_000_000}, "rx.load": {"document": "{}", "signatures": {}}}


def answer(host, line):
    """What was said to a line, a refusal too, without the number of its line."""
    return host.server.answer(line).split(b" ", 1)[1].rsplit(b" ", 1)[0]


@given(st.lists(NEW | AGAIN | ASK | KEY, max_size=30))
def test_a_command_is_done_once(steps):
    """COM-04: done when it is new, and never for having been said again; keys and questions between change nothing."""
    rig = Rig()
    assert rig.prescribe(RX) is None
    host, said = Host(rig), []  # (id, method, answer)
    for what, which in steps:
        if what == "key":
            rig.key(which)
        elif what == "ask":
            host.ask(which)
        elif what == "new":
            request, line = host.requests.line(which, PARAMS.get(which))
            said.append((request, which, answer(host, line)))
        elif len(said) >= which:
            request, method, before = said[-which]
            written = len(rig.tape.entries)
            assert answer(host, host.requests.again(request, method, PARAMS.get(method))) == before
            assert len(rig.tape.entries) == written
    assert sum(entry.what == "command" for entry in rig.tape.entries) == len(said)
