"""Commands repeated in any order: each is done once and answered the same."""

from hypothesis import given
from hypothesis import strategies as st
from support.therapy.link_host import LinkHost
from support.therapy.reference_model import Prescription
from support.therapy.therapy_rig import TherapyRig

RX = Prescription(basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800)
KEPT = 4  # answers that the pump can give again

NEW = st.tuples(st.just("new"), st.sampled_from(["therapy.pause", "therapy.stop", "prime", "clock.set", "rx.load"]))
AGAIN = st.tuples(st.just("again"), st.integers(1, KEPT))  # the last one, or one before it
ASK = st.tuples(st.just("ask"), st.sampled_from(["hello", "state"]))
KEY = st.tuples(st.just("key"), st.sampled_from(["start", "stop"]))
PARAMS = {"clock.set": {"utc_s": 1_800_000_000}, "rx.load": {"document": "{}", "signatures": {}}}


def answer(host, line):
    """Answer to a line, also a refusal, without the number of its line."""
    return host.server.answer(line).split(b" ", 1)[1].rsplit(b" ", 1)[0]


@given(st.lists(NEW | AGAIN | ASK | KEY, max_size=30))
def test_a_command_runs_once(steps):
    """COM-04: a new command runs, a repeated one never; keys and questions between change nothing."""
    rig = TherapyRig()
    assert rig.prescribe(RX) is None
    host, said = LinkHost(rig), []  # (id, method, answer)
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
            assert answer(host, host.requests.retry_line(request, method, PARAMS.get(method))) == before
            assert len(rig.tape.entries) == written
    assert sum(entry.what == "command" for entry in rig.tape.entries) == len(said)
