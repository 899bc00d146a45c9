"""The head of the page says how the review of a plan stands, in the colour of the second check's light."""

import pytest

from ert.app.readiness import Review, Stage
from ert.domain.second_check import Light
from ert.ui.page_header import PageHeader
from ert.ui.theme import BAD, GOOD, WARN


@pytest.mark.parametrize(
    ("review", "colour"),
    [
        (Review(stage=Stage.CHECKED, text="Ready for review · within", light=Light.GREEN), GOOD),
        (Review(stage=Stage.CHECKED, text="Ready for review · outside", light=Light.RED), BAD),
        (Review(stage=Stage.LOST, text="NOT READY"), WARN),
        (Review(stage=Stage.FAILED, text="Ready for review · FAILED"), BAD),
    ],
)
def test_the_light_has_words_and_a_colour(qtbot, review, colour):
    header = PageHeader(site_text="Site", user_name="User", is_demo=False)
    qtbot.addWidget(header)
    header.show()
    header.show_patient(None, "", review)
    assert header.review.text() == f"● {review.text}"
    assert colour in header.review.styleSheet()
    assert header.review.isVisible()
    header.show_patient(None)
    assert not header.review.isVisible()


def test_the_plan_is_named_in_full_beside_a_long_review_on_a_small_screen(qtbot):
    header = PageHeader(site_text="Radiotherapy, City Hospital", user_name="Dr. Lise Meitner", is_demo=True)
    qtbot.addWidget(header)
    header.resize(1366, 60)
    header.show()
    context = "Course 1  ·  Chest wall L  ·  Saved r6 00:48:23"
    text = "Ready for review · second check outside tolerance"
    header.show_patient(None, context, Review(stage=Stage.CHECKED, text=text, light=Light.AMBER))
    qtbot.waitUntil(lambda: header.context.text() == context)
