"""Angles in the beam table: IEC 61217 to type, the room's reading beside it where its scale differs."""

from __future__ import annotations

import attrs
import pytest
from PySide6.QtCore import Qt

from ert.domain.angle_scale import AngleScale
from ert.domain.machine_configuration import MachineConfiguration
from ert.ui.beam_table import ROWS, BeamTableModel
from tests.ui.fakes import FakeWorkspace

DISPLAY, EDIT = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole
ROW = {row.field: n for n, row in enumerate(ROWS)}


def table(scale):
    workspace = FakeWorkspace()
    package = workspace.models.packages[0]
    package.machine = attrs.evolve(package.machine, configuration=MachineConfiguration(scale=scale))
    return BeamTableModel(workspace), workspace


@pytest.mark.parametrize(
    ("scale", "gantry", "collimator", "couch"),
    [
        (AngleScale.IEC_61217, "18.0", "0.0", "30.0"),
        (AngleScale.VARIAN_IEC, "18.0  (room 18.0)", "0.0  (room 0.0)", "30.0  (room 330.0)"),
        (AngleScale.VARIAN_STANDARD, "18.0  (room 162.0)", "0.0  (room 180.0)", "30.0  (room 150.0)"),
        (AngleScale.ELEKTA_NATIVE, "18.0  (room 18.0)", "0.0  (room 0.0)", "30.0  (room −30.0)"),
    ],
)
def test_the_room_stands_beside_each_angle_and_typing_is_iec(scale, gantry, collimator, couch):
    model, workspace = table(scale)
    assert model.setData(model.index(ROW["couch_deg"], 0), "30")
    model.refresh()
    found = [model.index(ROW[f], 0).data(DISPLAY) for f in ("gantry_deg", "collimator_deg", "couch_deg")]
    assert found == [gantry, collimator, couch]
    assert model.index(ROW["gantry_deg"], 0).data(EDIT) == "18.0"
    assert model.setData(model.index(ROW["gantry_deg"], 0), "20")
    assert workspace.plan.beams[0].gantry_deg == 20.0
    assert workspace.plan.beams[0].couch_deg == 30.0


def test_an_older_version_of_the_machine_is_named():
    model, workspace = table(AngleScale.IEC_61217)
    cell = model.index(ROW["machine_name"], 0)
    assert cell.data(DISPLAY) == "DEMO-Linac"
    older = workspace.models.packages[0].machine
    newer = attrs.evolve(older, configuration=MachineConfiguration(max_mu=500.0))
    workspace.models.of_beam = lambda _beam: (older, None)
    workspace.models.package = lambda _name: type("P", (), {"machine": newer})
    assert cell.data(DISPLAY) == "DEMO-Linac (older version)"
