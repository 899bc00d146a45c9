"""The window that compares two engines shows light, figures and gamma, and says when it is out of date."""

from __future__ import annotations

from types import SimpleNamespace

import attrs
import numpy as np
import pytest

from ert.app.changes import Changes
from ert.app.second_check import compared
from ert.domain.algorithm import Algorithm
from ert.domain.second_check import KeptSecondCheck
from ert.errors import Refused
from ert.ui.compare_window import CompareWindow
from ert.ui.gamma_view import gamma_table
from ert.ui.theme import BAD, GOOD
from ert.ui.view_state import ViewState
from tests.ui.fakes import FakeWorkspace


class FakeChecks:
    """Remembers what was asked; answers when it is told to."""

    def __init__(self):
        self.kept: tuple[KeptSecondCheck, ...] = ()
        self.asked = None
        self.stops = 0
        self.refusal = None

    def compare(self, plan, engines, *, on_done, on_failed, on_cancelled, on_progress):
        self.asked = SimpleNamespace(engines=engines, done=on_done, failed=on_failed, cancelled=on_cancelled)

    def stop(self):
        self.stops += 1

    def keep(self, comparison, stored):
        if self.refusal is not None:
            raise self.refusal
        self.kept = (SimpleNamespace(check=comparison.check),)


@pytest.fixture
def workspace(qapp):
    made = FakeWorkspace()
    made.checks, made.stored = FakeChecks(), None
    return made


@pytest.fixture
def window(workspace):
    made = CompareWindow(workspace, ViewState((4.5, -8.0, 0.0)), site_text="Site", user_name="User")
    made.show()
    yield made
    made.close_window()  # it deletes itself


def comparison(workspace, factor):
    second = attrs.evolve(
        workspace.dose, plan_gy=workspace.dose.plan_gy * np.float32(factor), engine="monte-carlo 7, 1.9 %"
    )
    return compared(workspace.plan, workspace.structures, workspace.dose, second)


def test_the_plans_engine_is_compared_with_another_one_unless_chosen_otherwise(workspace, window):
    window.start()
    assert workspace.checks.asked.engines == (Algorithm.PENCIL_BEAM, Algorithm.MONTE_CARLO)
    assert window.cancel.isVisible()
    workspace.checks.asked.cancelled()
    assert not window.cancel.isVisible()
    window.second.setCurrentIndex(window.second.findData(Algorithm.PBRA))
    window.start()
    assert workspace.checks.asked.engines[1] is Algorithm.PBRA


@pytest.mark.parametrize(("factor", "words", "colour"), [(1.01, "Within", GOOD), (1.2, "Outside the action", BAD)])
def test_light_figures_and_gamma_are_shown_and_the_check_is_kept(workspace, window, factor, words, colour):
    window.start()
    workspace.checks.asked.done(comparison(workspace, factor))
    assert words in window.light.text()
    assert colour in window.light.styleSheet()
    rows = [[window.model.item(r, c).text() for c in range(5)] for r in range(window.model.rowCount())]
    assert {r[0] for r in rows} == {"PTV_Chestwall", "Lung_L"}
    for _, _, first, second, _ in rows:
        assert float(second) == pytest.approx(factor * float(first), abs=0.02)
    assert window.gamma.slice_picture() is not None
    assert window.views.count() == 3
    assert window.fate.text() == "Kept with the plan as its second check."
    workspace.apply("Rename", lambda p: attrs.evolve(p, name="Other"))
    assert window.fate.text().startswith("OUT OF DATE")


def test_what_is_refused_or_fails_is_told(workspace, window):
    workspace.checks.refusal = Refused("The plan was edited since it was saved; the check is not kept.")
    window.start()
    workspace.checks.asked.done(comparison(workspace, 1.0))
    assert "edited since it was saved" in window.message.text
    assert window.fate.text() == "Not kept with the plan."
    window.start()
    workspace.checks.asked.failed(Refused("12 MeV was not commissioned for the Monte Carlo."))
    assert "not commissioned" in window.message.text
    assert window.run.isEnabled()


def test_closing_stops_the_comparison_and_a_late_answer_does_no_harm(workspace, window):
    window.start()
    asked = workspace.checks.asked
    stops = workspace.checks.stops
    window.close()
    assert workspace.checks.stops == stops + 1
    asked.done(comparison(workspace, 1.0))
    asked.cancelled()
    workspace.publish(Changes(plan=True))
    assert window.comparison is None


def test_gamma_that_passes_is_never_drawn_in_the_colours_of_what_fails():
    table = gamma_table().astype(int)
    passes, fails = table[1:127], table[131:]
    assert (passes[:, 2] >= passes[:, 0]).all()  # blue to white
    assert (fails[:, 0] > fails[:, 2] + 60).all()  # yellow to red
    assert table[0, 3] == 0
