"""The parser of what is signed has one reading for a document, or none (LIB-12, SEC-10, H01)."""

from pump.documents import strict_json
from support.portable.refusals import refusal, refusal_code


def code_of(text):
    """Code of a refused text without the caller's prefix; None: accepted."""
    code = refusal_code(strict_json.parse, text.encode(), "x")
    return code and code[2:]


def test_flat_object_of_texts_and_integers():
    parsed = strict_json.parse(b'{"a":"b c","n":0,"m":-12,"big":1000000000}', "x")
    assert parsed == {"a": "b c", "n": 0, "m": -12, "big": 1000000000}


def test_space_between_tokens_is_allowed():
    assert strict_json.parse(b' {\t"a" :\r\n 1 , "b":"" } \n', "x") == {"a": 1, "b": ""}


def test_empty_object():
    assert strict_json.parse(b"{}", "x") == {}
    assert strict_json.parse(b" { } ", "x") == {}


def test_numbers_that_are_not_plain_integers():
    """LIB-12, H01: no decimal point, no exponent, no second spelling of a number."""
    for number in ("0.5", "1.0", "1e3", "1E3", "1.", ".5", "+5", "-", "00", "01", "-0", "-01", "0.2", "-.5"):
        assert code_of('{"n":' + number + "}") == "number_form", number


def test_decimal_comma():
    """LIB-12: 0,5 is not 0, not 5 and not 0.5."""
    assert code_of('{"n":0,5}') == "not_json"


def test_digits_are_bounded():
    assert code_of('{"n":9999999999}') is None
    assert code_of('{"n":10000000000}') == "value_range"
    assert code_of('{"n":' + "9" * 1500 + "}") == "value_range"


def test_values_of_other_types():
    for value in ("true", "false", "null", "[]", "{}", "[1]", '{"a":1}'):
        assert code_of('{"n":' + value + "}") == "value_type", value


def test_booleans_only_where_they_are_let_in():
    assert strict_json.parse(b'{"a":true,"b":false}', "x", booleans=True) == {"a": True, "b": False}
    assert refusal_code(strict_json.parse, b'{"a":null}', "x", True) == "x_value_type"
    assert refusal_code(strict_json.parse, b'{"a":truth}', "x", True) == "x_value_type"
    assert refusal_code(strict_json.parse, b'{"a":truest}', "x", True) == "x_not_json"


def test_doubled_key():
    assert code_of('{"a":1,"a":1}') == "key_doubled"
    assert refusal(strict_json.parse, b'{"a":1,"b":2,"a":3}', "x").detail["key"] == "a"


def test_text_after_the_object():
    for rest in ("x", "{}", ",", "}", '{"a":1}', "\n0"):
        assert code_of('{"a":1}' + rest) == "trailing", rest


def test_malformed_json():
    broken = """{ } [] 1 "a" {"a"} {"a":} {"a":1 {"a":1,} {,"a":1} {a:1} {"a"_1} {"a":1_"b":2}
    {"a":1;"b":2} {"a":"b} {'a':1} {"a":NaN} {"a":Infinity} {"a":1,,"b":2} {1:1} {"a":x} {"a"::1} {{"a":1}}"""
    for text in broken.split():
        assert code_of(text.replace("_", " ")) == "not_json", text
    assert code_of("") == "not_json"
    assert code_of(" ") == "not_json"


def test_bytes_that_are_not_printable_ascii():
    for text in (
        '{"a":"\u00b5g"}',
        '{"a":"\x00"}',
        '{"a":"\x7f"}',
        "\ufeff{}",
        '{"a":\u00a01}',
        '{"a":\x0b1}',
    ):
        assert code_of(text) == "not_ascii", text
    assert refusal_code(strict_json.parse, b'{"a":"\xff"}', "x") == "x_not_ascii"


def test_texts_have_one_spelling():
    """An escape would let one key be written in two ways."""
    for text in ('{"\\u0061":1}', '{"a":"\\n"}', '{"a":"\\""}', '{"a":"b\nc"}', '{"a":"b\tc"}'):
        assert code_of(text) == "string_form", text


def test_length_is_bounded():
    room = strict_json.MAX_LENGTH - len('{"a":""}')
    assert code_of('{"a":"' + "b" * room + '"}') is None
    assert code_of('{"a":"' + "b" * (room + 1) + '"}') == "too_long"


def test_refusal_names_thing_held_allowed():
    refused = refusal(strict_json.parse, b'{"basal_ug_per_day":0.2}', "rx")
    assert refused.code == "rx_number_form"
    assert refused.detail["key"] == "basal_ug_per_day"
    assert refused.message.startswith('basal_ug_per_day holds "0.2}"; allowed: an integer')
    assert str(refused) == "rx_number_form: " + refused.message
