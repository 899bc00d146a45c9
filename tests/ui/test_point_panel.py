"""Points on the plan page: made at the crosshair, named in the table, kept while the prescription needs them."""

import attrs
import pytest
from PySide6.QtCore import Qt

from ert.app.dose_state import DoseStatus
from ert.domain.plan import Normalisation
from ert.ui.point_panel import PointPanel
from ert.ui.view_state import ViewState
from tests.ui.fakes import FakeWorkspace

AT_TARGET = (4.5, -8.0, 0.0)


@pytest.fixture
def workspace(qapp):
    return FakeWorkspace()


@pytest.fixture
def panel(workspace, qtbot):
    made = PointPanel(workspace, ViewState(AT_TARGET))
    qtbot.addWidget(made)
    made.show()
    return made


def text(panel, row, column):
    return panel.model.index(row, column).data(Qt.ItemDataRole.DisplayRole)


def test_a_point_is_made_named_and_found_again(workspace, panel):
    panel.add_button.click()
    (point,) = workspace.plan.points
    assert point.position_cm == AT_TARGET
    assert text(panel, 0, 1) == "4.50, −8.00, 0.00"
    assert panel.model.setData(panel.model.index(0, 0), "Scar")
    assert workspace.plan.points[0].name == text(panel, 0, 0) == "Scar"
    panel._state.set_crosshair((0.0, 0.0, 0.0))
    panel.table.setCurrentIndex(panel.model.index(0, 0))
    panel.go_button.click()
    assert panel._state.crosshair_cm == AT_TARGET


def test_a_taken_name_is_refused_with_a_sentence(workspace, panel):
    panel.add_button.click()
    panel.add_button.click()
    panel.model.setData(panel.model.index(1, 0), "Ref 1")
    assert [p.name for p in workspace.plan.points] == ["Ref 1", "Ref 2"]
    assert "already" in panel.message.text


def test_the_prescription_keeps_its_point(workspace, panel):
    panel.add_button.click()
    point = workspace.plan.points[0]
    given = attrs.evolve(workspace.plan.prescription, normalisation=Normalisation.POINT, point_id=point.id)
    workspace.apply("Normalise", lambda plan: attrs.evolve(plan, prescription=given))
    panel.table.setCurrentIndex(panel.model.index(0, 0))
    panel.remove_button.click()
    assert workspace.plan.points == (point,)
    assert "refers to point 'Ref 1'" in panel.message.text


def test_doses_vanish_with_the_dose(workspace, panel):
    panel.add_button.click()
    workspace.set_dose(status=DoseStatus.CURRENT)
    panel.refresh()
    assert float(text(panel, 0, 2)) > 0
    workspace.set_dose(status=DoseStatus.STALE)
    panel.refresh()
    assert [text(panel, 0, n) for n in range(2, panel.model.columnCount())] == ["–"] * (1 + len(workspace.plan.beams))
