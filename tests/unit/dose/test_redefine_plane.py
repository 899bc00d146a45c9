"""What a step of redefinition meets, by hand; the factor over depth; the box around electrons; images."""

import numpy as np
import pytest

from ert.domain.identity import read_only
from ert.dose.kernels.lanes import SUMS
from ert.dose.kernels.mirror import fold_columns, fold_rows
from ert.dose.kernels.redefine_plane import add_step, between_knots, find_reach
from ert.dose.kernels.redefine_sample import sample_step

FAR_CM = 1e9
AIR = 0.0012
"""Stopping and scattering power of air over those of water, as the kernel has them outside the volume."""


def met(stopping, *, near_cm, far_cm, density=None, turn=None, virtual_cm=FAR_CM):
    """Stopping, scattering, open part of a lattice of 2 × 2 pixels of 1 cm; voxels of 1 cm, one at the isocentre."""
    stopping = np.ascontiguousarray(stopping, dtype=np.float32)
    density = np.ones_like(stopping) if density is None else density
    out = np.zeros((3, 2, 2), dtype=np.float32)
    middle = (np.array(stopping.shape[::-1]) - 1) / 2
    tissue = (read_only(a) for a in (stopping, 2 * stopping, density))  # as the engine gives it, and the lattice
    lattice = read_only(np.array([-0.5, 0.5]))
    sample_step(
        *tissue, np.eye(3) if turn is None else turn, middle, lattice, lattice, near_cm, far_cm,
        np.array([0, 2, 0, 2]), 0.0, virtual_cm, out,
    )  # fmt: skip
    return out


def layers(*values):
    """Slabs across z, 7 × 7 voxels wide."""
    return np.ones((len(values), 7, 7), dtype=np.float32) * np.array(values, dtype=np.float32)[:, None, None]


@pytest.mark.parametrize(("near", "far", "expected"), [
    (-0.4, 0.4, 3.0),  # within the middle slab
    (-0.5, 0.5, 3.0),  # from face to face of it
    (0.2, 0.8, 0.5 * 3.0 + 0.5 * 1.0),
    (-2.0, 1.0, (0.5 * AIR + 1.0 * 5.0 + 1.0 * 3.0 + 0.5 * 1.0) / 3.0),
])  # fmt: skip
def test_a_step_meets_each_slab_for_its_length(near, far, expected):
    # the beam goes down z, so that distance counts the other way round
    stopping, scattering, is_open = met(layers(1.0, 3.0, 5.0), near_cm=near, far_cm=far)
    assert stopping == pytest.approx(np.full((2, 2), expected), rel=1e-6)
    assert scattering[0, 0] == pytest.approx(2 * expected, rel=1e-3)
    assert np.all(is_open == 1.0)


def test_a_slanted_step_is_cut_at_the_faces_it_crosses_sideways():
    # columns of 1, 2, 3 … across x; a slope of one half: 2 cm of depth go 1 cm sideways
    volume = np.broadcast_to(np.arange(1.0, 12.0, dtype=np.float32), (11, 11, 11))
    turn = np.array([[1.0, 0.0, -0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    stopping, _, _ = met(volume, near_cm=0.0, far_cm=2.0, turn=turn)
    # lines start at x = −0.75, −0.25 (left pixels) and go on by 1: parts in columns 5, 6, 7 (values at −1, 0, 1)
    left = 0.5 * ((0.25 * 5 + 0.75 * 6) + (0.75 * 6 + 0.25 * 7))
    assert stopping[0] == pytest.approx([left, left + 1.0], rel=1e-6)


def test_a_step_across_corners_of_voxels_meets_what_it_meets_at_many_places_along_it():
    """All axes crossed, several faces of each: against samples of the nearest voxel, 0.1 mm apart."""
    random = np.random.default_rng(7)
    volume = random.uniform(0.5, 2.0, (9, 9, 9)).astype(np.float32)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    stopping, _, is_open = met(volume, near_cm=-1.7, far_cm=1.3, turn=turn)
    depth = -1.7 + 3.0 * (np.arange(300) + 0.5) / 300
    for j, i in np.ndindex(2, 2):
        found = []
        for y in (j - 0.75, j - 0.25):
            for x in (i - 0.75, i - 0.25):
                places = turn @ np.stack([np.full(300, x), np.full(300, y), -depth]) + 4.0
                found.append(volume[tuple(np.rint(places).astype(int)[::-1])].mean())
        assert stopping[j, i] == pytest.approx(np.mean(found), abs=5e-3)
    assert is_open == pytest.approx(np.ones((2, 2)), rel=1e-6)


def test_the_part_of_a_step_in_metal_is_not_open():
    density = layers(1.0, 11.0, 1.0)
    stopping, _, is_open = met(layers(1.0, 9.0, 1.0), near_cm=-0.75, far_cm=0.25, density=density)
    assert is_open == pytest.approx(np.full((2, 2), 0.25), rel=1e-6)
    assert stopping == pytest.approx(np.ones((2, 2)), rel=1e-6)


def test_straight_lines_between_knots_are_those_of_numpy_to_the_last_bit():
    random = np.random.default_rng(3)
    knots, values = np.sort(random.uniform(0.0, 1.1, 23)), random.uniform(0.5, 1.5, 23)
    places = random.uniform(-0.2, 1.4, (40, 50))
    places[0, :23] = knots
    assert between_knots(places, knots, values).tobytes() == np.interp(places, knots, values).tobytes()


def test_the_reach_holds_every_box_that_is_not_empty():
    reach = np.full(4, 9, dtype=np.int64)
    find_reach(np.array([[0, 0, 0, 0], [3, 5, 2, 9], [4, 8, 1, 3], [0, 0, 0, 0]]), reach)
    assert reach.tolist() == [3, 8, 1, 9]
    find_reach(np.zeros((2, 4), dtype=np.int64), reach)
    assert reach.tolist() == [0, 0, 0, 0]


def test_depth_grows_by_the_electrons_own_step_where_it_is_free_of_metal_and_else_by_the_rays():
    depth, near, far = np.full((3, 4), 2.0), np.full((3, 4), 1.0, np.float32), np.full((3, 4), 1.5, np.float32)
    material, step_cm = np.ones((3, 3, 4), dtype=np.float32), np.full((3, 4), 0.25)
    material[0] = 3.0
    material[2, 1, 2] = 0.5  # half of it metal
    add_step(depth, near, far, material, step_cm, np.array([1, 3, 1, 4]), 0.999)
    assert depth.tolist() == [[2.5] * 4, [2.5, 2.75, 2.5, 2.75], [2.5, 2.75, 2.75, 2.75]]


def images(size, first, last):
    """A row of 13 sums with numbers from `first` on and before `last`, and nothing that may be read elsewhere."""
    row = np.full((SUMS, size), np.nan)
    row[:, first:last] = np.arange(1.0, 1.0 + SUMS * (last - first)).reshape(SUMS, -1)
    return row


def folded(row, changed):
    """What lies before the middle, and the image of what lies behind it; the sums `changed` have the other sign."""
    held, half = np.nan_to_num(row), row.shape[1] // 2
    sign = np.where(np.isin(np.arange(SUMS), changed), -1.0, 1.0)[:, None]
    return held[:, :half] + sign * held[:, ::-1][:, :half]


@pytest.mark.parametrize(("first", "last"), [(2, 9), (0, 7), (4, 12), (6, 8), (8, 11)])
def test_electrons_behind_the_middle_are_added_to_their_images(first, last):
    """Whether the image reaches beyond what was set before the middle, stays in it, or lies where nothing was."""
    row, size, half = images(12, first, last), 12, 6
    begin = min(first, size - last)
    for fold, changed, is_column in ((fold_columns, (3, 5), True), (fold_rows, (8, 10), False)):
        state = np.full((1, size, SUMS, size), np.nan)
        if is_column:
            state[0, 4] = row
            reach = np.zeros((1, size, 2), dtype=np.int64)
            reach[0, 4] = first, last
            fold(state, reach)
            assert reach[0, 4].tolist() == [begin, half]
            found = state[0, 4]
        else:
            state[0, :, :, 4] = row.T
            reach = np.array([[first, last, 4, 5]])
            fold(state, reach)
            assert reach.tolist() == [[begin, half, 4, 5]]
            found = state[0, :, :, 4].T
        assert found[:, begin:half].tolist() == folded(row, changed)[:, begin:].tolist()


def test_electrons_before_the_middle_stay_as_they_are():
    state, span = images(12, 2, 6)[None, None].repeat(12, axis=1), np.full((1, 12, 2), (2, 6))
    kept = state.copy()
    fold_columns(state, span)
    assert span.tolist() == np.full((1, 12, 2), (2, 6)).tolist()
    assert np.array_equal(state, kept, equal_nan=True)
