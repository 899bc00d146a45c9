"""Writing a clinical goal: the dialog opens, takes a goal, and says what it cannot take."""

from __future__ import annotations

import pytest

from ert.domain.plan import Goal
from ert.ui.goal_dialog import GoalDialog
from tests.ui import fakes


@pytest.fixture
def dialog(qtbot):
    made = GoalDialog(fakes.make_structures(fakes.make_image()))
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    return made


def test_no_field_hides_what_qt_asks_of_a_widget(dialog):
    assert dialog.logicalDpiX() > 0
    assert not dialog.grab().isNull()


def test_a_goal_is_taken_as_entered(dialog):
    dialog.structure.setCurrentIndex(dialog.structure.findData(fakes.LUNG))
    dialog.metric_name.setText(" V20Gy ")
    dialog.comparison.setCurrentIndex(dialog.comparison.findData("<="))
    dialog.value.setText("12,5")
    dialog._accept()
    assert dialog.goal == Goal(structure_number=fakes.LUNG, metric="V20Gy", comparison="<=", value=12.5, unit="%")


@pytest.mark.parametrize(
    ("metric", "value", "unit", "words"),
    [
        ("D95", "90", "%", "no metric"),
        ("V20Gy", "30", "Gy", "stated in % or cc"),
        ("D2cc", "30", "cc", "stated in Gy or %"),
        ("Mean", "-1", "Gy", "0 to 100000 Gy"),
        ("Mean", "much", "Gy", "must be a number in Gy"),
    ],
)
def test_what_it_cannot_take_is_said_and_the_dialog_stays(dialog, metric, value, unit, words):
    dialog.metric_name.setText(metric)
    dialog.value.setText(value)
    dialog.unit.setCurrentText(unit)
    dialog._accept()
    assert dialog.goal is None
    assert dialog.isVisible()
    assert words in dialog.message.text
