"""The plates over a slice view keep apart, and large numbers are read."""

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from ert.ui import slice_overlay as overlay
from ert.ui.dose_words import engine_words


@pytest.mark.parametrize("width_px", [270, 470])
def test_the_upper_letter_keeps_clear_of_the_words_of_a_preview(qtbot, width_px):
    """In a view of 270 pixels, as on a screen of 1366 x 768, the words of a live preview reach to the middle."""
    picture = QImage(width_px, 200, QImage.Format.Format_RGB32)
    rect, words = QRectF(picture.rect()), QRectF(width_px - 126.0, 6.0, 120.0, 34.0)
    painter = QPainter(picture)
    letters = overlay.draw_letters(painter, rect, ("R", "L", "Sup", "Inf"), beside=words)
    painter.end()
    assert not any(letter.intersects(words) for letter in letters)
    assert all(rect.contains(letter) for letter in letters)


def test_histories_are_read_in_groups_of_three_digits():
    said = engine_words("pencil-beam 11 (beam 1); monte-carlo 11 (beam 2), 1.99 %, 6824000 histories")
    assert said == "pencil-beam 11 (beam 1); monte-carlo 11 (beam 2), 1.99 %, 6,824,000 histories"
