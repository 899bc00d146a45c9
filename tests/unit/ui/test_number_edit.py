"""A number field: it says its unit, refuses what is no number or out of range, and never changes what was typed."""

import pytest
from PySide6.QtCore import Qt

from ert.ui.number_edit import NumberEdit


@pytest.fixture
def field(qtbot):
    edit = NumberEdit("The prescribed dose", "Gy", minimum=0.01, maximum=100)
    edit.set_value(50.0)
    edit.seen, edit.why = [], []
    edit.entered.connect(edit.seen.append)
    edit.refused.connect(edit.why.append)
    qtbot.addWidget(edit)
    return edit


def enter(qtbot, field, text):
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


def test_unit_and_quantity_are_told_to_eyes_and_screen_readers(field):
    assert field.text() == "50.00 Gy"
    assert field.accessibleName() == "The prescribed dose, Gy"


def test_a_comma_is_a_decimal_sign(field, qtbot):
    enter(qtbot, field, "50,4")
    assert field.seen == [50.4]
    assert field.value == 50.4
    assert field.text() == "50.40 Gy"


@pytest.mark.parametrize("text", ["5000", "0", "-50", "5O", "50 cGy", "1,050.0", ""])
def test_what_it_cannot_read_is_refused_kept_and_marked(field, qtbot, text):
    enter(qtbot, field, text or " ")
    assert field.seen == []
    assert field.value == 50.0
    assert field.text() == (text or " ")
    assert field.property("invalid") is True
    assert field.why
    assert "Gy" in field.why[0]
    assert field.toolTip() == field.why[0]


def test_a_slip_of_a_digit_is_answered_with_the_range(field, qtbot):
    enter(qtbot, field, "500")
    assert field.why == ["The prescribed dose must be 0.01 to 100 Gy, not 500.00 Gy."]


def test_the_mark_is_there_while_typing_and_gone_once_the_number_fits(field, qtbot):
    field.selectAll()
    qtbot.keyClicks(field, "500")
    assert field.property("invalid") is True
    qtbot.keyClick(field, Qt.Key.Key_Backspace)
    assert field.property("invalid") is False
    assert field.toolTip() == ""


def test_escape_brings_the_old_number_back(field, qtbot):
    field.selectAll()
    qtbot.keyClicks(field, "7")
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == "50.00 Gy"
    assert field.seen == []


def test_the_same_number_again_is_no_edit(field, qtbot):
    enter(qtbot, field, "50.000")
    assert field.seen == []
    assert field.text() == "50.00 Gy"
