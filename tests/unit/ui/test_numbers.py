"""Typed numbers: understood as meant, or refused with unit and range; never guessed."""

import math

import pytest

from ert.errors import Refused
from ert.ui.numbers import format_number, format_quantity, parse_number


def parse(text, **limits):
    return parse_number(text, what="The margin", unit="cm", **limits)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.5", 12.5),
        ("12,5", 12.5),
        ("  12.5 cm ", 12.5),
        ("12,5cm", 12.5),
        ("-3", -3.0),
        ("\N{MINUS SIGN}3", -3.0),
        ("+0.7", 0.7),
        ("1e1", 10.0),
    ],
)
def test_a_comma_a_minus_sign_and_the_own_unit_are_understood(text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    "text", ["", " ", "cm", "abc", "1,234.5", "1.234,5", "1,234,567", "1_000", "12 mm", "1 2", "0x1F"]
)
def test_grouping_signs_other_units_and_words_are_refused(text):
    with pytest.raises(Refused, match="The margin must be a number in cm"):
        parse(text)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999"])
def test_what_is_not_finite_is_refused(text):
    with pytest.raises(Refused, match="finite number in cm"):
        parse(text)


def test_both_limits_are_allowed_and_nothing_beyond_them_is_clamped():
    assert [parse(text, minimum=0.5, maximum=5) for text in ("0.5", "5")] == [0.5, 5.0]
    for text in ("0.49", "5.01", "50", "-2"):
        with pytest.raises(Refused, match="must be 0.5 to 5 cm, not"):
            parse(text, minimum=0.5, maximum=5)
    with pytest.raises(Refused, match="at least 0 cm"):
        parse("-1", minimum=0)
    with pytest.raises(Refused, match="at most 5 cm"):
        parse("6", maximum=5)


def test_numbers_are_written_with_a_point_a_true_minus_and_no_negative_zero():
    assert format_number(-1234.5, 1) == "\N{MINUS SIGN}1234.5"
    assert format_number(-0.001, 2) == "0.00"
    assert format_quantity(18.0, 1, "°") == "18.0°"
    assert format_quantity(None, 1, "cm") == format_quantity(math.nan, 1, "cm") == "–"


@pytest.mark.parametrize("value", [0.0, -12.25, 1234.5])
def test_what_is_written_is_read_back(value):
    assert parse(format_quantity(value, 2, "cm")) == value
