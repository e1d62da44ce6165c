"""An image is flashed by the authority's word only, and not into a therapy (SEC-06, H42)."""

import _vectors
from _check import refusal_code
from _rig import Rig, code_of
from _rx import BENCH, CLINIC, trust_of
from pump import image_order, records
from pump.work import finish

THERAPY = (_vectors.image("therapy"), _vectors.THERAPY_SIGNATURE)
DEVELOPMENT = (_vectors.image("development"), _vectors.DEVELOPMENT_SIGNATURE)
TOY = (_vectors.image("toy"), _vectors.TOY_SIGNATURE)


def code(signed=THERAPY, trust=None):
    """The code with which a manifest is refused; None if it is accepted."""
    trust = trust or trust_of()
    return refusal_code(lambda: finish(image_order.admitting(signed[0], signed[1], trust)))


def test_what_the_authority_has_signed():
    """SEC-06."""
    assert code() is None
    values = finish(image_order.admitting(THERAPY[0], THERAPY[1], trust_of()))
    assert (values["variant"], values["build"]) == ("therapy", "0123456789abcdef")
    assert len(values["uf2_sha256"]) == 64


def test_the_image_of_developers_is_for_the_bench():
    """SEC-06."""
    assert code(DEVELOPMENT, trust_of(BENCH)) is None
    assert code(DEVELOPMENT, trust_of(CLINIC)) == "image_not_bench"
    assert code(THERAPY, trust_of(CLINIC)) is None


def test_there_are_two_variants():
    assert code(TOY) == "image_variant"


def test_another_text_or_another_hand():
    """SEC-06: no person of the clinic signs images."""
    assert code((THERAPY[0], DEVELOPMENT[1])) == "image_signature"
    assert code((THERAPY[0].replace("0123", "0124"), THERAPY[1])) == "image_signature"
    assert code((THERAPY[0], "")) == "image_signature"
    assert code((_vectors.RX, _vectors.RX_SIGNATURE)) == "image_type"
    assert code((_vectors.people(3), _vectors.PEOPLE_3_SIGNATURE)) == "image_too_long"


def test_a_pump_without_an_owner():
    assert code(trust=trust_of(None)) == "image_not_provisioned"


def test_form_of_a_manifest():
    """SEC-10."""
    for key in ("build", "commit", "variant", "uf2_sha256"):
        assert code((THERAPY[0].replace('"%s"' % key, '"x%s"' % key), THERAPY[1])) == "image_key_unknown"
    assert code((THERAPY[0].replace('"build":"0123456789abcdef",', ""), THERAPY[1])) == "image_key_missing"
    assert code((THERAPY[0].replace('"version":1', '"version":2'), THERAPY[1])) == "image_version"


# Over the link


def leave(rig, signed=THERAPY):
    return rig.tell("image.bootsel", {"document": signed[0], "signature": signed[1]})


def test_the_pump_makes_way_when_service_shows_it():
    """SEC-02, SEC-06: answered, recorded with the person and the build, and only then."""
    rig = Rig()
    rig.log_on("lind")
    assert leave(rig)["result"] == {}
    assert rig.pump.wants_boot_loader
    assert rig.noted("boot_loader") == [(4, records.word_of("0123456789abcdef"), 0, 0, 0, 0, 0)]


def test_a_bad_manifest_changes_nothing():
    """SEC-06, SEC-10."""
    rig = Rig()
    rig.log_on("lind")
    assert code_of(leave(rig, (THERAPY[0], TOY[1]))) == "image_signature"
    assert code_of(leave(rig, TOY)) == "image_variant"
    assert not rig.pump.wants_boot_loader and rig.noted("boot_loader") == []


def test_a_clinician_or_nobody_flashes_nothing():
    """SEC-02, H42."""
    rig = Rig()
    params = {"document": THERAPY[0], "signature": THERAPY[1]}
    assert code_of(rig.ask("image.bootsel", params)) == "session_none"
    rig.log_on("okafor")
    assert code_of(rig.tell("image.bootsel", params)) == "role"
    assert not rig.pump.wants_boot_loader


def test_a_therapy_is_not_left_alone():
    """H42: neither one that runs nor one that was stopped for a while; only once it has been ended."""
    rig = Rig()
    rig.log_on("okafor")
    of_service = rig.log_on_params("lind")
    rig.infuse()
    rig.log_on("lind", of_service)
    assert code_of(leave(rig)) == "image_infusing"
    rig.stop()
    assert code_of(leave(rig)) == "image_therapy"
    assert not rig.pump.wants_boot_loader
    assert "result" in rig.tell("therapy.stop")
    assert leave(rig)["result"] == {}
    assert rig.pump.wants_boot_loader


def test_it_cannot_begin_to_infuse_while_the_signature_is_checked():
    """H42: a finger on START meanwhile is stronger."""
    rig = Rig()
    rig.log_on("okafor")
    of_service = rig.log_on_params("lind")
    rig.prescribe()
    rig.core.primed = True
    rig.log_on("lind", of_service)
    params = {"document": THERAPY[0], "signature": THERAPY[1]}
    said = rig.server.begin(rig.line(rig.request("image.bootsel", params, rig.auth())))
    rig.start()
    assert rig.core.infusing()
    while said is None:
        said = rig.server.go_on()
    assert b"image_infusing" in said
    assert rig.core.infusing() and not rig.pump.wants_boot_loader
