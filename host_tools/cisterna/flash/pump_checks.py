"""Checks of a pump around a flash run: whether it may be flashed with an image, and what must hold afterwards."""

from __future__ import annotations

from typing import Any

from cisterna.flash.flash_context import FlashablePump, FlashContext, FlashRefused
from cisterna.image import image_files

IDLE_STATES = ("stopped", "alarm")  # in these a pump delivers nothing
UNSIGNED = "the image is not signed; name its file with --signature (`cisterna image sign` makes it)"
_HELLO_KEYS = ("build", "commit", "board", "serial", "bench", "people", "library", "authority", "self_test")
_STATE_KEYS = ("state", "boot", "booked_nl", "next_seq", "rx", "needs_rx")


def read_status(pump: FlashablePump) -> dict[str, Any]:
    """The values of the pump's `hello` and `state` that the checks use. Raises LinkError."""
    hello, state = pump.ask("hello"), pump.ask("state")
    return {key: hello.get(key) for key in _HELLO_KEYS} | {key: state[key] for key in _STATE_KEYS}


def refuse_busy(status: dict[str, Any]) -> None:
    """Raise FlashRefused while the pump delivers, or would resume delivery on one press of START."""
    if status["state"] not in IDLE_STATES:
        raise FlashRefused(
            f"pump {status['serial']}: is in state {status['state']}; allowed: {' or '.join(IDLE_STATES)}; "
            "stop the pump first"
        )
    if status["rx"] and not status["needs_rx"]:
        raise FlashRefused(
            f"pump {status['serial']}: has a confirmed prescription ({status['rx']}) that START would resume; "
            "end it first (`cisterna stop`)"
        )


def refuse_image(context: FlashContext, status: dict[str, Any]) -> None:
    """Raise FlashRefused or SignatureWrong unless the image is signed, allowed on this pump and given by a person.

    With `context.authority` the signature is checked here; else only the pump checks it.
    """
    if context.signed is None:
        raise FlashRefused(UNSIGNED)
    if context.by is None or context.signer is None:
        raise FlashRefused("a pump is flashed by a person with the role service; name one with --by and --key")
    image_files.check_facts(context.image.path, context.facts, context.signed)
    variant = image_files.manifest(context.signed)["variant"]
    if variant != "therapy" and not status["bench"]:
        raise FlashRefused(f"pump {status['serial']}: is no bench pump; the image is {variant}; allowed: therapy")
    if context.authority is not None:
        from cisterna.pharmacy.keys import fingerprint

        if fingerprint(context.authority) != status["authority"]:
            raise FlashRefused(
                f"pump {status['serial']}: its authority is {status['authority']}, the one that was named is "
                f"{fingerprint(context.authority)}; name the pump's own with --authority"
            )
        image_files.check_signature(context.signed, context.authority)


def compare(before: dict[str, Any], after: dict[str, Any], image: dict[str, str]) -> list[dict[str, Any]]:
    """The checks of a flashed pump: its status before and after, and the facts of the image."""
    found = [
        result("build", after["build"], image["build"], after["build"] == image["build"]),
        result("self-test", after["self_test"], "passed", after["self_test"] == "passed"),
        result("state", after["state"], " or ".join(IDLE_STATES), after["state"] in IDLE_STATES),
    ]
    for key in ("serial", "bench", "authority", "people", "library"):
        found.append(result(f"{key} kept", after[key], before[key], after[key] == before[key]))
    for key in ("booked_nl", "next_seq", "boot"):
        found.append(result(f"{key} kept", after[key], f">= {before[key]}", after[key] >= before[key]))
    return found


def result(check: str, held: Any, wanted: Any, passed: bool) -> dict[str, Any]:
    """One check as the record has it."""
    return {"check": check, "held": held, "wanted": wanted, "passed": passed}
