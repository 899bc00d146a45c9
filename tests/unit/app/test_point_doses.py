"""Doses at points of a linear dose, where trilinear interpolation is exact; edits of points."""

import attrs
import numpy as np
import pytest

from ert.app.dose_state import BeamDose, DoseState, DoseStatus
from ert.app.point_doses import point_doses
from ert.domain.plan import free_point_name, with_point, without_point
from ert.domain.structure import PointOfInterest
from ert.errors import InvalidPlan
from ert.geometry.grid import VoxelGrid
from tests.unit.app.test_normalise import beam, plan

GRID = VoxelGrid(origin_cm=(-2.0, -2.0, -2.0), spacing_cm=(0.5, 0.5, 0.5), shape_zyx=(9, 9, 9))


def linear(slope):
    k, j, i = np.indices(GRID.shape_zyx)
    return (20.0 + GRID.point_cm(np.stack([i, j, k], axis=-1)) @ np.asarray(slope)).astype(np.float32)


def state(status=DoseStatus.CURRENT):
    first, second = linear((1.0, 0.0, 0.0)), linear((0.0, 2.0, 1.0))
    beams = tuple(
        BeamDose(beam_number=n, gy=gy, mu=100.0, ssd_cm=100.0, given_dose_gy=None, warnings=(), engine="pencil-beam 8")
        for n, gy in ((1, first), (2, second))
    )
    return DoseState(status=status, grid=GRID, plan_gy=first + second, beams=beams)


def with_points(*places):
    made = attrs.evolve(plan(beam(1), beam(2)), points=())
    for place in places:
        made = with_point(made, PointOfInterest(name=free_point_name(made), position_cm=place))
    return made


def test_total_and_share_of_each_beam():
    (row,) = point_doses(with_points((0.3, -0.7, 1.1)), state())
    assert row.beams_gy == pytest.approx((20.3, 20.0 - 1.4 + 1.1), rel=1e-6)
    assert row.total_gy == pytest.approx(sum(row.beams_gy), rel=1e-6)
    assert not row.problem


def test_outside_the_grid_and_without_a_current_dose_there_is_none():
    planned = with_points((5.0, 0.0, 0.0))
    (row,) = point_doses(planned, state())
    assert (row.total_gy, row.beams_gy, row.problem) == (None, (), "outside the dose grid")
    for status in (DoseStatus.STALE, DoseStatus.COMPUTING, DoseStatus.FAILED, DoseStatus.NONE):
        (row,) = point_doses(planned, state(status))
        assert row.total_gy is None
        assert "belongs" in row.problem


def test_names_are_unique_and_the_prescription_keeps_its_point():
    made = with_points((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    first, second = made.points
    assert [p.name for p in made.points] == ["Ref 1", "Ref 2"]
    with pytest.raises(InvalidPlan, match="already"):
        with_point(made, attrs.evolve(second, name="Ref 1"))
    with pytest.raises(InvalidPlan, match="needs a name"):
        with_point(made, attrs.evolve(second, name=" "))
    renamed = with_point(made, attrs.evolve(first, name="Axilla"))
    assert [p.name for p in renamed.points] == ["Axilla", "Ref 2"]
    prescribed = attrs.evolve(made, prescription=attrs.evolve(made.prescription, point_id=first.id))
    with pytest.raises(InvalidPlan, match="refers to point 'Ref 1'"):
        without_point(prescribed, first.id)
    assert without_point(prescribed, second.id).points == (first,)
