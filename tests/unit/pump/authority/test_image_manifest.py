"""An image is flashed only if the authority signed it, and not during therapy (SEC-06, H42)."""

from pump.authority import image_manifest
from pump.base.pieces import finish
from pump.storage import records
from support.portable import signed_vectors
from support.portable.example_prescriptions import BENCH, CLINIC, trust_of
from support.portable.pump_rig import PumpRig, code_of
from support.portable.refusals import refusal_code

THERAPY = (signed_vectors.image("therapy"), signed_vectors.THERAPY_SIGNATURE)
DEVELOPMENT = (signed_vectors.image("development"), signed_vectors.DEVELOPMENT_SIGNATURE)
TOY = (signed_vectors.image("toy"), signed_vectors.TOY_SIGNATURE)


def code(signed=THERAPY, trust=None):
    """The code with which a manifest is refused; None if it is accepted."""
    trust = trust or trust_of()
    return refusal_code(lambda: finish(image_manifest.admit_in_pieces(signed[0], signed[1], trust)))


def test_a_manifest_signed_by_the_authority_is_admitted():
    """SEC-06."""
    assert code() is None
    values = finish(image_manifest.admit_in_pieces(THERAPY[0], THERAPY[1], trust_of()))
    assert (values["variant"], values["build"]) == ("therapy", "0123456789abcdef")
    assert len(values["uf2_sha256"]) == 64


def test_a_development_image_is_for_bench_pumps_only():
    """SEC-06."""
    assert code(DEVELOPMENT, trust_of(BENCH)) is None
    assert code(DEVELOPMENT, trust_of(CLINIC)) == "image_not_bench"
    assert code(THERAPY, trust_of(CLINIC)) is None


def test_there_are_two_variants():
    assert code(TOY) == "image_variant"


def test_another_text_or_signer_is_refused():
    """SEC-06: no person of the clinic signs images."""
    assert code((THERAPY[0], DEVELOPMENT[1])) == "image_signature"
    assert code((THERAPY[0].replace("0123", "0124"), THERAPY[1])) == "image_signature"
    assert code((THERAPY[0], "")) == "image_signature"
    assert code((signed_vectors.RX, signed_vectors.RX_SIGNATURE)) == "image_type"
    assert code((signed_vectors.people(3), signed_vectors.PEOPLE_3_SIGNATURE)) == "image_too_long"


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


def test_the_pump_enters_its_boot_loader_for_service():
    """SEC-02, SEC-06: answered, recorded with the person and the build, and only then."""
    rig = PumpRig()
    rig.log_on("lind")
    assert leave(rig)["result"] == {}
    assert rig.pump.image_update.wants_boot_loader
    assert rig.noted("boot_loader") == [(4, records.word_of("0123456789abcdef"), 0, 0, 0, 0, 0)]


def test_a_bad_manifest_changes_nothing():
    """SEC-06, SEC-10."""
    rig = PumpRig()
    rig.log_on("lind")
    assert code_of(leave(rig, (THERAPY[0], TOY[1]))) == "image_signature"
    assert code_of(leave(rig, TOY)) == "image_variant"
    assert not rig.pump.image_update.wants_boot_loader and rig.noted("boot_loader") == []


def test_a_clinician_or_nobody_flashes_nothing():
    """SEC-02, H42."""
    rig = PumpRig()
    params = {"document": THERAPY[0], "signature": THERAPY[1]}
    assert code_of(rig.ask("image.bootsel", params)) == "session_none"
    rig.log_on("okafor")
    assert code_of(rig.tell("image.bootsel", params)) == "role"
    assert not rig.pump.image_update.wants_boot_loader


def test_no_flashing_during_therapy():
    """H42: neither one that runs nor one that was stopped for a while; only once it has been ended."""
    rig = PumpRig()
    rig.log_on("okafor")
    of_service = rig.log_on_params("lind")
    rig.infuse()
    rig.log_on("lind", of_service)
    assert code_of(leave(rig)) == "image_infusing"
    rig.stop()
    assert code_of(leave(rig)) == "image_therapy"
    assert not rig.pump.image_update.wants_boot_loader
    rig.pump.start_stop.end_therapy(3)
    assert leave(rig)["result"] == {}
    assert rig.pump.image_update.wants_boot_loader


def test_it_cannot_begin_to_infuse_while_the_signature_is_checked():
    """H42: START pressed meanwhile wins."""
    rig = PumpRig()
    rig.log_on("okafor")
    of_service = rig.log_on_params("lind")
    rig.prescribe()
    rig.therapy.primed = True
    rig.log_on("lind", of_service)
    params = {"document": THERAPY[0], "signature": THERAPY[1]}
    said = rig.server.begin(rig.line(rig.request("image.bootsel", params, rig.auth())))
    rig.start()
    assert rig.therapy.infusing()
    while said is None:
        said = rig.server.go_on()
    assert b"image_infusing" in said
    assert rig.therapy.infusing() and not rig.pump.image_update.wants_boot_loader
