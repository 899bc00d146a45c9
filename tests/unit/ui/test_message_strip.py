"""Old news goes when a plan takes the page; what went wrong stays until it is dismissed."""

import pytest

from ert.ui.widgets import MessageStrip


@pytest.mark.parametrize(("show", "left"), [("show_note", ""), ("show_warning", "Said."), ("show_error", "Said.")])
def test_only_notes_go_by_themselves(qtbot, show, left):
    strip = MessageStrip()
    qtbot.addWidget(strip)
    getattr(strip, show)("Said.")
    strip.clear_note()
    assert strip.text == left
