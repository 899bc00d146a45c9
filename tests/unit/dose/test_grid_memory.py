"""Memory of a dose serves the next one only when nobody can look at it any more."""

import gc

import numpy as np
import pytest

from ert.domain.algorithm import Algorithm
from ert.dose.engine import compute_beam_dose
from ert.dose.grid_memory import GridMemory
from ert.dose.output import rectangle_cm
from tests.unit.dose.beams import beam, demo
from tests.unit.dose.test_remembered import GRID, dose, phantom

SHAPE = (3, 4, 5)


@pytest.fixture(autouse=True)
def none_spare():
    GridMemory(SHAPE)
    GridMemory._spare.clear()
    yield
    GridMemory._spare.clear()


def written(shape=SHAPE, *, value=1.0):
    memory = GridMemory(shape)
    array = memory.array()
    array[1, 2, 3:] = value
    memory.held[6] = 3, 5
    memory.is_written()
    return array


def place(array):
    return array.__array_interface__["data"][0]


def test_memory_that_nobody_holds_is_used_again_with_what_it_holds():
    array = written()
    at = place(array)
    del array
    memory = GridMemory(SHAPE)
    assert place(memory.array()) == at
    assert (memory.held[6] == (3, 5)).all()
    assert not np.delete(memory.held, 6, axis=0).any()
    assert np.count_nonzero(memory.array()) == 2


@pytest.mark.parametrize(
    "view", [lambda a: a[1], lambda a: a.ravel(), lambda a: np.asarray(a.view(np.int32)), memoryview]
)
def test_a_view_keeps_the_memory_from_the_next_dose(view):
    seen = view(written(value=7.0))
    gc.collect()
    others = [written(value=2.0) for _ in range(3)]
    assert np.asarray(seen).tobytes() == np.asarray(view(written(value=7.0))).tobytes()
    assert len({place(a) for a in [*others, np.asarray(seen)]}) == 4


def test_memory_of_another_shape_or_only_half_written_is_not_used():
    written()
    assert not GridMemory((4, 4, 5)).array().any()
    GridMemory(SHAPE).array()[:] = 5.0  # what failed in the middle: never told to be written
    fresh = GridMemory(SHAPE)
    assert not fresh.array().any()
    assert not fresh.held.any()


def test_much_memory_goes_back(monkeypatch):
    monkeypatch.setattr(GridMemory, "most_bytes", 100)
    written()
    assert not GridMemory._spare


def test_doses_that_follow_one_another_in_the_same_memory_have_the_bytes_of_a_fresh_one():
    """A field to one side, one across, one to the other side, and a wide one; each let go before the next."""
    side = tuple((x + 3.0, y - 0.5) for x, y in rectangle_cm(3.0, 5.0))
    other = tuple((-x, y) for x, y in side)
    tissue = phantom()
    for outline in [side, rectangle_cm(9.0, 3.0), other, None, side]:
        warm = dose(tissue, outline).gy_per_mu
        found = warm.tobytes()
        del warm
        GridMemory._spare.clear()
        assert found == dose(phantom(), outline).gy_per_mu.tobytes()  # and lets its own memory go for the next


def test_a_dose_that_is_held_does_not_change_with_the_next():
    tissue = phantom()
    held = dose(tissue, rectangle_cm(6.0, 6.0))
    before = held.gy_per_mu.tobytes()
    for side_cm in (3.0, 8.0):
        dose(tissue, rectangle_cm(side_cm, side_cm))
    assert held.gy_per_mu.tobytes() == before


def test_spare_memory_is_let_go_before_what_needs_more():
    spare = []
    written()
    compute_beam_dose(
        tissue=phantom(), dose_grid=GRID, geometry=beam(rectangle_cm(4.0, 4.0)), model=demo().model(12.0),
        algorithm=Algorithm.PBRA, check=lambda: spare.append(len(GridMemory._spare)),
    )  # fmt: skip
    assert spare[0] == 1
    assert len(spare) > 2
    assert not any(spare[1:])
