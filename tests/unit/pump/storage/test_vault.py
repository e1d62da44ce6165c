"""The signed documents in flash are whole, the old one or the new, with any interruption."""

import struct
from binascii import crc32

from pump.storage import vault
from pump.storage.vault import HEAD_BYTES, LIBRARY, MAX_TEXT_BYTES, PEOPLE, SLOT_BYTES, Vault
from support.portable.nor_flash import SECTOR, NorFlash, PowerCut
from support.portable.refusals import refusal_code

SIGNATURE = bytes(range(192)) * 2


def text(number, length=700):
    """A text of its own for each number."""
    return (b"%06d\n" % number * (length // 7 + 1))[:length]


def document(number, length=700):
    return number, text(number, length), bytes([number]) + SIGNATURE[1:]


def kept(*numbers, **lengths):
    """A flash into which people documents of these numbers were written, one after the other."""
    flash = NorFlash()
    for number in numbers:
        Vault(flash).write(PEOPLE, *document(number, **lengths))
    return flash


def test_what_was_written_is_read_back():
    flash = NorFlash()
    assert Vault(flash).read(PEOPLE) is None and Vault(flash).read(LIBRARY) is None
    for number in range(1, 6):
        Vault(flash).write(PEOPLE, *document(number))
        Vault(flash).write(LIBRARY, *document(number + 100, 1300))
        assert Vault(flash).read(PEOPLE) == document(number)
        assert Vault(flash).read(LIBRARY) == document(number + 100, 1300)


def test_lengths_around_pages_sectors_and_the_end():
    for length in (1, 255, 256, 257, SECTOR - HEAD_BYTES, SECTOR - HEAD_BYTES + 7, MAX_TEXT_BYTES):
        flash = kept(1, 2, 3, length=length)
        assert Vault(flash).read(PEOPLE) == document(3, length)
        assert Vault(flash).read(LIBRARY) is None


def blocks_of(flash, kind):
    """The eight blocks of both slots of a kind."""
    return flash.blocks[4 * kind : 4 * kind + 4] + flash.blocks[4 * kind + 8 : 4 * kind + 12]


def test_each_kind_keeps_to_its_own_slots():
    """A write of one kind leaves the slots of the other kind and the flash behind the vault unchanged."""
    flash = NorFlash()
    for number in (1, 2):
        Vault(flash).write(PEOPLE, *document(number, MAX_TEXT_BYTES))
    assert blocks_of(flash, LIBRARY) == [None] * 8
    before = blocks_of(flash.copy(), PEOPLE)
    for number in (1, 2):
        Vault(flash).write(LIBRARY, *document(number, MAX_TEXT_BYTES))
    assert blocks_of(flash, PEOPLE) == before and None not in before


def test_only_a_newer_document_is_taken():
    """LIB-07, SEC-07: no way back to an older people document or library."""
    flash = kept(7)
    before = flash.copy()
    for number in (1, 6, 7):
        assert refusal_code(Vault(flash).write, PEOPLE, *document(number)) == "vault_number"
    assert flash.blocks == before.blocks and Vault(flash).read(PEOPLE) == document(7)
    Vault(flash).write(PEOPLE, *document(8))
    assert refusal_code(Vault(flash).write, PEOPLE, *document(7)) == "vault_number"


def test_what_does_not_fit_is_refused_before_anything_is_written():
    flash = kept(1)
    before = flash.copy()
    number, words, signature = document(2)
    for changed, code in (
        ((number, b"", signature), "vault_length"),
        ((number, text(2, MAX_TEXT_BYTES + 1), signature), "vault_length"),
        ((number, words, signature[1:]), "vault_signature"),
        ((number, words, signature + b"x"), "vault_signature"),
    ):
        assert refusal_code(Vault(flash).write, PEOPLE, *changed) == code
        assert refusal_code(vault.image, changed) == code
    assert flash.blocks == before.blocks


def calls_of_a_write(flash):
    """What writing document 3 does to a copy of `flash`: (kind, bytes) of each call."""
    whole = flash.copy()
    whole.calls = []
    Vault(whole).write(PEOPLE, *document(3, 5000))
    assert Vault(whole).read(PEOPLE) == document(3, 5000)
    return whole.calls


def cuts(calls):
    """A power cut before, inside and after each call: (number of the call, bytes done)."""
    for n, (_, length) in enumerate(calls):
        for done in sorted({0, 1, length // 2, length - 1, length}):
            yield n, done


def cut_short(flash, cut):
    """A copy of `flash`, in which document 3 was to be written when the power failed."""
    cut_flash = flash.copy()
    cut_flash.cut = cut
    try:
        Vault(cut_flash).write(PEOPLE, *document(3, 5000))
        raise AssertionError(f"the power did not fail at {cut}")
    except PowerCut:
        cut_flash.cut = None
    return cut_flash


def test_power_cut_at_any_call_of_a_write():
    """PWR-08: it leaves the old document or the new one, whole; and the next write goes well."""
    before = kept(1, 2, length=5000)
    calls = calls_of_a_write(before)
    assert [kind for kind, _ in calls] == ["erase"] * 2 + ["write"] * 22
    for cut in cuts(calls):
        flash = cut_short(before, cut)
        is_done = cut == (len(calls) - 1, calls[-1][1])
        found = Vault(flash).read(PEOPLE)
        assert found == document(3 if is_done else 2, 5000), cut
        assert not Vault(flash).is_damaged(PEOPLE)
        if not is_done:
            Vault(flash).write(PEOPLE, *document(3, 5000))
        Vault(flash).write(PEOPLE, *document(4, 5000))
        assert Vault(flash).read(PEOPLE) == document(4, 5000), cut


def test_power_cut_at_any_byte_of_the_head():
    """PWR-08."""
    before = kept(1, 2, length=40)
    last = len(calls_of_a_write(before)) - 1
    for n in (last - 1, last):
        for done in range(257):
            found = Vault(cut_short(before, (n, done))).read(PEOPLE)
            assert found in (document(2, 40), document(3, 5000)), (n, done)
            assert found == document(2, 40) or (n, done) > (last, 250)


def test_power_cut_in_the_first_write_leaves_none():
    """A partial head is reported as damage, and the next write succeeds."""
    calls = calls_of_a_write(NorFlash())
    for cut in cuts(calls):
        flash = cut_short(NorFlash(), cut)
        found = Vault(flash).read(PEOPLE)
        head_begun = cut[0] > len(calls) - 3 and cut > (len(calls) - 2, 0)
        is_done = cut == (len(calls) - 1, 256)
        assert found == (document(3, 5000) if is_done else None), cut
        assert Vault(flash).is_damaged(PEOPLE) == (head_begun and not is_done), cut
        assert not Vault(flash).is_damaged(LIBRARY)
        if not is_done:
            Vault(flash).write(PEOPLE, *document(3, 5000))
            assert Vault(flash).read(PEOPLE) == document(3, 5000)


def test_a_flipped_bit_is_found():
    """A slot with a wrong bit anywhere in head or text counts for nothing: the other one does."""
    flash = kept(1, 2, length=300)
    newest = 2 * SLOT_BYTES
    for at in range(newest, newest + HEAD_BYTES + 300):
        flash.flip(at, at % 8)
        assert Vault(flash).read(PEOPLE) == document(1, 300), at
        flash.flip(at, at % 8)
    assert Vault(flash).read(PEOPLE) == document(2, 300)


def test_an_unreadable_document_is_reported():
    flash = kept(1, 2, length=300)
    flash.flip(2 * SLOT_BYTES + HEAD_BYTES)
    assert not Vault(flash).is_damaged(PEOPLE)
    flash.flip(HEAD_BYTES + 299)
    assert Vault(flash).read(PEOPLE) is None
    assert Vault(flash).is_damaged(PEOPLE) and not Vault(flash).is_damaged(LIBRARY)
    Vault(flash).write(PEOPLE, *document(3))
    assert Vault(flash).read(PEOPLE) == document(3) and not Vault(flash).is_damaged(PEOPLE)


def test_a_new_document_takes_the_place_of_a_damaged_one():
    flash = kept(1, 2, length=300)
    flash.flip(2 * SLOT_BYTES + HEAD_BYTES)  # of document 2
    Vault(flash).write(PEOPLE, *document(3))
    assert Vault(flash).read(PEOPLE) == document(3)
    flash.flip(2 * SLOT_BYTES + HEAD_BYTES)
    assert Vault(flash).read(PEOPLE) == document(1, 300)


def test_an_impossible_length_is_not_followed():
    """A head of another making, with a good CRC: the text is not looked for past the end of the slot."""
    flash = kept(1)
    head = flash.content(0, HEAD_BYTES)
    for at, value in ((0, 0), (4, 2), (12, MAX_TEXT_BYTES + 1), (12, 0xFFFFFFFF)):
        changed = bytearray(head)
        struct.pack_into("<I", changed, at, value)
        struct.pack_into("<I", changed, 508, crc32(changed[:508]))
        flash.put(0, changed)
        assert Vault(flash).read(PEOPLE) is None, at
        assert Vault(flash).is_damaged(PEOPLE)


def test_flash_that_fails_to_program_is_found():
    flash = kept(1)
    plain = flash.writeblocks

    def worn(block, buf, offset):
        plain(block, bytes(len(buf)), offset) if block == 9 else plain(block, buf, offset)

    flash.writeblocks = worn
    try:
        Vault(flash).write(PEOPLE, *document(2, 5000))
        raise AssertionError("the worn block was not noticed")
    except OSError:
        pass
    assert Vault(flash).read(PEOPLE) == document(1)


def test_a_first_image():
    """What a new pump's flash begins with is what writing both documents into a blank one leaves there."""
    flash = NorFlash()
    assert vault.image() == b""
    for people, library in ((document(1), None), (None, document(2, 900)), (document(1), document(2, 900))):
        loaded = NorFlash()
        loaded.put(0, vault.image(people, library))
        assert Vault(loaded).read(PEOPLE) == people and Vault(loaded).read(LIBRARY) == library
    Vault(flash).write(PEOPLE, *document(1))
    Vault(flash).write(LIBRARY, *document(2, 900))
    assert len(vault.image(document(1), document(2, 900))) == SLOT_BYTES + HEAD_BYTES + 900
    for block in range(16):
        assert flash.content(block * SECTOR, SECTOR) == loaded.content(block * SECTOR, SECTOR)
