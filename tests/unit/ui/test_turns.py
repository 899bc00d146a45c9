"""Views are drawn one after the other."""

from ert.ui.turns import Turns


def test_the_first_is_drawn_at_once_the_others_each_in_a_turn_of_its_own(qtbot):
    turns, granted = Turns(), []
    turns.granted.connect(granted.append)
    for name in ("axial", "coronal", "sagittal", "coronal"):
        turns.ask(name)
    assert granted == ["axial"]
    qtbot.waitUntil(lambda: len(granted) == 2)
    assert granted == ["axial", "coronal"]
    qtbot.waitUntil(lambda: len(granted) == 3)
    qtbot.wait(60)
    assert granted == ["axial", "coronal", "sagittal"]  # asked for twice, drawn once
    turns.ask("axial")
    assert granted[-1] == "axial"
