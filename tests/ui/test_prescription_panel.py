"""Each normalisation can be chosen in the window, does what its sentence says, and never leaves an invalid plan."""

from __future__ import annotations

import pytest

from ert.domain.algorithm import Algorithm
from ert.domain.plan import DoseTo, Normalisation
from ert.domain.statements import normalisation_sentence
from ert.ui.prescription_panel import PrescriptionPanel
from ert.ui.view_state import ViewState
from tests.ui.fakes import FakeWorkspace


@pytest.fixture
def workspace(qapp):
    return FakeWorkspace()


@pytest.fixture
def panel(workspace, qtbot):
    made = PrescriptionPanel(workspace, ViewState((1.0, 2.0, 3.0)))
    qtbot.addWidget(made)
    made.show()
    return made


def choose(box, data) -> None:
    """As a person does: the entry becomes current and is activated."""
    row = box.findData(data)
    assert row >= 0
    box.setCurrentIndex(row)
    box.activated.emit(row)


@pytest.mark.parametrize("wanted", Normalisation)
def test_every_normalisation_can_be_chosen_and_is_what_it_is_called(workspace, panel, wanted):
    panel.new_point.click()
    choose(panel.normalisation, wanted)
    given = workspace.plan.prescription
    assert given.normalisation is wanted  # not text that compares equal and is taken for another choice
    assert panel.normalisation.currentText()
    assert panel.rule.text() == normalisation_sentence(workspace.plan, workspace.structures)
    takes_percent = wanted in (Normalisation.ISODOSE, Normalisation.MAXIMUM)
    assert panel.percent.isVisible() == takes_percent
    assert panel.percent_name.isVisible() == takes_percent


def test_the_sentences_speak_of_water_and_of_the_maximum(workspace, panel):
    assert "in water" in panel.rule.text()
    choose(panel.normalisation, Normalisation.MAXIMUM)
    assert "plan's maximum dose" in panel.rule.text()
    assert "water" not in panel.rule.text()


def test_a_point_cannot_be_chosen_before_there_is_one(workspace, panel):
    choose(panel.normalisation, Normalisation.POINT)
    assert workspace.plan.prescription.normalisation is Normalisation.ISODOSE
    assert panel.normalisation.currentData() == "ISODOSE"
    assert "Point at crosshair" in panel.message.text
    panel.new_point.click()
    (point,) = workspace.plan.points
    assert point.position_cm == (1.0, 2.0, 3.0)
    choose(panel.normalisation, Normalisation.POINT)
    assert workspace.plan.prescription.point_id == point.id
    assert panel.rule.text() == "Point 'Ref 1' receives 50.00 Gy."
    assert panel.message.text == ""


def test_dose_to_water_is_that_member(workspace, panel):
    choose(panel.dose_to, DoseTo.WATER)
    assert workspace.plan.dose_to is DoseTo.WATER


def test_the_panel_says_how_far_to_trust_the_algorithm(panel):
    assert panel.engine.currentText() == "Pencil beam"
    assert "may err by 5–15 %" in panel.trust.text()


def test_the_uncertainty_wanted_is_asked_for_monte_carlo_only_and_refused_outside_its_range(workspace, panel):
    assert panel.uncertainty.isHidden()
    choose(panel.engine, Algorithm.MONTE_CARLO)
    assert workspace.plan.algorithm is Algorithm.MONTE_CARLO
    assert not panel.uncertainty.isHidden()
    assert panel.uncertainty.text() == "2.0 %"
    for typed, kept in (("1.0", 1.0), ("0.4", 1.0), ("3.1", 1.0), ("3", 3.0), ("0.5", 0.5)):
        panel.uncertainty.setText(typed)
        panel.uncertainty.setModified(True)
        panel.uncertainty.editingFinished.emit()
        assert workspace.plan.uncertainty_pct == kept
        assert bool(panel.message.text) == (float(typed) != kept)


def test_the_algorithm_chosen_is_that_member(workspace, panel):
    choose(panel.engine, Algorithm.PBRA)
    assert workspace.plan.algorithm is Algorithm.PBRA
    assert panel.engine.currentText() == "Redefinition (PBRA)"
