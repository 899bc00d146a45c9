"""Gamma against closed forms (planes, steps, shifts) and against brute force over a fine lattice."""

import numpy as np
import pytest

from ert.analysis.gamma import (
    GammaCriteria,
    compare_dose_grids,
    compare_doses,
    gamma_index,
    gamma_of_grids,
    pass_rate_pct,
)
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from tests.shapes import rotation

AXIS = np.arange(21) * 0.25
CUBE = (AXIS, AXIS, AXIS)


def ramp(slopes, offset=50.0):
    z, y, x = np.meshgrid(*CUBE, indexing="ij")
    return offset + slopes[0] * z + slopes[1] * y + slopes[2] * x


def test_equal_doses_have_gamma_zero():
    dose = ramp((1.0, 2.0, 3.0))
    gamma = gamma_index(dose, CUBE, dose, CUBE, dose_pct=2, distance_cm=0.2)
    assert gamma.dtype == np.float32
    assert gamma.max() == 0
    assert pass_rate_pct(gamma) == 100


@pytest.mark.parametrize("slopes", [(0, 0, 4.0), (0, 3.0, 0), (2.0, 3.0, 4.0), (-1.0, 5.0, -2.0)])
def test_plane_offset_by_a_dose(slopes):
    """Distance from a point to a hyperplane: T / sqrt(1 + |slope in criteria|²)."""
    reference = ramp(slopes)
    normalisation, offset = 100.0, 2.4
    gamma = gamma_index(
        reference, CUBE, reference + offset, CUBE, dose_pct=3, distance_cm=0.3, normalisation_gy=normalisation
    )
    steepness = np.linalg.norm(slopes) * 0.3 / 3.0
    expected = offset / 3.0 / np.sqrt(1 + steepness**2)
    assert gamma[4:-4, 4:-4, 4:-4] == pytest.approx(expected, rel=1e-5)


def test_shift_of_a_steep_edge_is_a_distance():
    x = np.arange(0, 6.001, 0.05)
    edge = np.where(x < 3, 100.0, 0.0)
    moved = np.where(x < 3.2, 100.0, 0.0)
    gamma = gamma_index(edge, [x], moved, [x], dose_pct=3, distance_cm=0.3, threshold_pct=-1)
    assert gamma.shape == x.shape
    at = int(np.argmax(gamma))
    # dose falls to zero between 3.15 and 3.2; the point at 3.0 (reference 0) finds 9 % of full dose 0.2 cm away
    assert x[at] == pytest.approx(3.0)
    assert gamma[at] == pytest.approx(0.2 / 0.3, abs=0.01)
    assert gamma[x < 2.9].max() == 0


def test_uniform_doses_differ_by_the_dose_criterion_only():
    full = np.full((9, 9), 200.0)
    axes = (np.arange(9) * 0.3, np.arange(9) * 0.2)
    for factor, expected in ((1.01, 0.5), (0.98, 1.0), (1.05, 2.5), (2.0, 3.0)):
        gamma = gamma_index(full, axes, factor * full, axes, dose_pct=2, distance_cm=0.2)
        assert gamma == pytest.approx(expected, rel=1e-5)


def test_local_criterion_is_stricter_at_low_dose():
    reference = np.array([10.0, 20.0, 40.0, 80.0, 100.0])
    x = np.arange(5) * 10.0
    world = gamma_index(reference, [x], reference + 1, [x], dose_pct=2, distance_cm=0.1, threshold_pct=0)
    local = gamma_index(reference, [x], reference + 1, [x], dose_pct=2, distance_cm=0.1, threshold_pct=0, is_local=True)
    assert world == pytest.approx(0.5, rel=0.03)
    assert local == pytest.approx(np.minimum(1 / (0.02 * reference), 3.0), rel=0.03)


def test_low_doses_are_left_out():
    reference = np.array([5.0, 9.9, 10.0, 100.0])
    x = np.arange(4.0)
    gamma = gamma_index(reference, [x], reference, [x], dose_pct=3, distance_cm=0.3)
    assert np.isnan(gamma).tolist() == [True, True, False, False]


def test_reference_points_between_and_beyond_the_evaluated_ones():
    evaluated_axis = np.arange(0, 5.1, 0.5)
    values = 10 + 10 * evaluated_axis
    points = np.array([0.33, 1.71, 4.99, 5.15])
    gamma = gamma_index(10 + 10 * points, [points], values, [evaluated_axis], dose_pct=3, distance_cm=0.3)
    assert gamma[:3] == pytest.approx(0, abs=1e-6)
    # the last evaluated point is 0.15 cm away and 1.5 of 61.5 lower
    assert gamma[3] == pytest.approx(np.hypot(0.15 / 0.3, 1.5 / (0.03 * 61.5)), rel=1e-5)


def test_against_brute_force_on_rough_doses():
    rng = np.random.default_rng(5)
    reference = ramp((1.0, -2.0, 3.0), 40.0)
    evaluated = reference * 1.02 + rng.normal(0, 0.8, reference.shape)
    gamma = gamma_index(reference, CUBE, evaluated, CUBE, dose_pct=2, distance_cm=0.2, normalisation_gy=50.0)
    offsets = np.linspace(-0.45, 0.45, 37)  # steps of 0.025 cm: an eighth of the criterion
    cloud = np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), axis=-1).reshape(-1, 3)
    from ert.geometry.resample import sample_at

    grid = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(0.25,) * 3, shape_zyx=reference.shape)
    for k, j, i in rng.integers(3, 18, size=(40, 3)):
        point = np.array([AXIS[i], AXIS[j], AXIS[k]])
        found = sample_at(evaluated, grid, point + cloud)
        sampled = np.sqrt(((cloud / 0.2) ** 2).sum(axis=1) + ((found - reference[k, j, i]) / 1.0) ** 2).min()
        if sampled < 2:
            assert gamma[k, j, i] <= sampled + 0.02
            assert gamma[k, j, i] >= sampled - 0.15


def test_two_dimensions_agree_with_three():
    rng = np.random.default_rng(2)
    reference = 50 + 10 * rng.random((1, 15, 15))
    evaluated = reference + rng.normal(0, 1, reference.shape)
    axes = (np.array([1.5]), np.arange(15) * 0.2, np.arange(15) * 0.2)
    flat = gamma_index(reference[0], axes[1:], evaluated[0], axes[1:], dose_pct=2, distance_cm=0.2)
    solid = gamma_index(reference, axes, evaluated, axes, dose_pct=2, distance_cm=0.2)
    assert np.array_equal(flat, solid[0])
    assert flat.max() > 0.2


def test_grids_of_one_direction():
    axes = rotation(10, 20)
    first = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(0.2, 0.2, 0.2), shape_zyx=(9, 9, 9), axes=axes)
    second = VoxelGrid(origin_cm=first.point_cm((1, 1, 1)), spacing_cm=(0.3,) * 3, shape_zyx=(5, 5, 5), axes=axes)

    def dose(grid):
        k, j, i = np.indices(grid.shape_zyx)
        return 100 + grid.point_cm(np.stack([i, j, k], axis=-1)) @ np.array([5.0, 3.0, 1.0])

    gamma = gamma_of_grids(dose(first), first, dose(second), second, dose_pct=1, distance_cm=0.1)
    assert gamma[1:8, 1:8, 1:8] == pytest.approx(0, abs=1e-5)
    plain = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(0.2,) * 3, shape_zyx=(9, 9, 9))
    with pytest.raises(Refused, match="different directions"):
        gamma_of_grids(dose(first), first, dose(plain), plain, dose_pct=1, distance_cm=0.1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dose_pct": 0}, "above zero"),
        ({"reference": np.zeros(4)}, "nowhere above zero"),
        ({"reference": np.ones(3)}, r"has shape \(3,\)"),
        ({"evaluated": np.array([1, 2, np.nan, 4])}, "finite values"),
        ({"reference": np.array([1, 2, np.inf, 4])}, "finite values"),
        ({"evaluated": np.array([1, 2, -0.1, 4])}, "evaluated dose has negative values"),
        ({"reference": np.array([1, -2, 1, 4])}, "reference dose has negative values"),
        ({"evaluated_axes_cm": [[0, 1, np.nan, 2]]}, "rising positions"),
        ({"threshold_pct": 101.0}, "No point lies above the threshold"),
        ({"distance_cm": np.nan}, "above zero"),
        ({"evaluated_axes_cm": [[0, 1, 1, 2]]}, "rising positions"),
        ({"evaluated": np.ones((1, 4)), "evaluated_axes_cm": [[0.0], np.arange(4.0)]}, "same number of dimensions"),
    ],
)
def test_refusals(change, sentence):
    good = {
        "reference": np.ones(4),
        "reference_axes_cm": [np.arange(4.0)],
        "evaluated": np.ones(4),
        "evaluated_axes_cm": [np.arange(4.0)],
        "dose_pct": 3,
        "distance_cm": 0.3,
    }
    with pytest.raises(Refused, match=sentence):
        gamma_index(**{**good, **change})


def test_planes_at_different_heights_are_refused():
    axes = (np.arange(3.0), np.arange(3.0))
    with pytest.raises(Refused, match="only be compared on that plane"):
        gamma_index(
            np.ones((1, 3, 3)),
            (np.zeros(1), *axes),
            np.ones((1, 3, 3)),
            (np.ones(1), *axes),
            dose_pct=3,
            distance_cm=0.3,
        )
    with pytest.raises(Refused, match="no pass rate"):
        pass_rate_pct(np.full(3, np.nan))


def least_over_lattice(reference_dose, point, axes, dose, *, dose_criterion, distance, steps=24):
    """Gamma from first principles: every cell within reach, cut into steps³ places, multilinear between the nodes."""
    best = 9.0
    part = np.linspace(0, 1, steps + 1)
    cells = [
        [n for n in range(len(a) - 1) if max(a[n] - p, p - a[n + 1]) < 3 * distance]
        for a, p in zip(axes, point, strict=True)
    ]
    for cell in np.ndindex(*(len(c) for c in cells)):
        low = [c[n] for c, n in zip(cells, cell, strict=True)]
        corners = dose[tuple(slice(n, n + 2) for n in low)]
        far2 = 0.0
        for axis, (a, n, p) in enumerate(zip(axes, low, point, strict=True)):
            lines = np.moveaxis(corners, axis, -1)
            corners = np.moveaxis(lines[..., :1] + part * (lines[..., 1:] - lines[..., :1]), -1, axis)
            shape = [1] * len(axes)
            shape[axis] = -1
            far2 = far2 + (((a[n] + part * (a[n + 1] - a[n]) - p) / distance) ** 2).reshape(shape)
        best = min(best, float((far2 + ((corners - reference_dose) / dose_criterion) ** 2).min()))
    return np.sqrt(best)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_against_every_place_of_unequal_grids(dimensions):
    """Grids of different, uneven spacing; 2 % of noise; points near and beyond the evaluated grid's edges too."""
    rng = np.random.default_rng(dimensions)
    uneven = [np.cumsum(rng.uniform(0.1, 0.4, 12)) for _ in range(dimensions)]
    points = [np.linspace(a[0] - 0.15, a[-1] + 0.15, 9) for a in uneven]

    def dose(axes):
        grids = np.meshgrid(*axes, indexing="ij")
        return 60.0 + sum((6.0 - 4 * n) * g for n, g in enumerate(grids))

    reference = dose(points)
    evaluated = 1.025 * dose(uneven) + rng.normal(0, 1.2, [len(a) for a in uneven])
    criteria = GammaCriteria(dose_pct=3, distance_cm=0.3, normalisation_gy=60.0)
    found = compare_doses(reference, points, evaluated, uneven, criteria)
    errors = []
    for at in rng.integers(0, 9, size=(20 * dimensions, dimensions)):
        place = [p[n] for p, n in zip(points, at, strict=True)]
        sampled = least_over_lattice(reference[tuple(at)], place, uneven, evaluated, dose_criterion=1.8, distance=0.3)
        errors.append(found.gamma[tuple(at)] - sampled)
    errors = np.array(errors)
    assert errors.max() < 0.02  # a second valley missed, at worst
    assert np.count_nonzero(errors > 1e-4) <= len(errors) // 10
    assert errors.min() > -0.05  # the lattice is what errs here
    assert found.points_outside > 0


def test_result_sums_up_its_map():
    x = np.arange(0, 10.0)
    reference = np.array([5.0, 50, 60, 70, 80, 90, 100, 100, 100, 100])
    flat = np.array([0.0, 0.9, 0.9, 1.5, 3.1, 9.0, 0, 0, 0, 0])
    criteria = GammaCriteria(dose_pct=1, distance_cm=1e-4, threshold_pct=10)
    found = compare_doses(reference, [x], reference + flat, [x], criteria)
    assert np.isnan(found.gamma[0])
    assert (found.points, found.points_outside, found.points_at_limit) == (9, 0, 2)
    assert found.gamma[1:] == pytest.approx([0.9, 0.9, 1.5, 3, 3, 0, 0, 0, 0], rel=1e-3, abs=1e-6)
    assert found.pass_rate_pct == pytest.approx(100 * 6 / 9)
    assert found.mean_ratio == pytest.approx(9.3 / 9, rel=1e-3)
    assert found.max_ratio == pytest.approx(3.0)
    edges, counts = found.histogram(bins=3)
    assert edges == pytest.approx([0, 1, 2, 3], abs=1e-5)
    assert counts.tolist() == [6, 1, 2]
    assert not found.gamma.flags.writeable


def test_exchanging_reference_and_evaluated_changes_gamma():
    x = np.arange(0, 5.01, 0.5)
    smooth, noisy = np.full(11, 100.0), 100.0 + 6.0 * (-1.0) ** np.arange(11)
    criteria = GammaCriteria(dose_pct=3, distance_cm=0.3)
    assert compare_doses(smooth, [x], noisy, [x], criteria).pass_rate_pct == 100  # a place that fits is 0.25 cm away
    assert compare_doses(noisy, [x], smooth, [x], criteria).pass_rate_pct == 0


def test_dose_criterion_is_widened_by_the_references_sigma():
    x = np.arange(0, 5.0)
    reference = np.full(5, 100.0)
    sigma = np.array([0.0, 1.0, 2.0, 0.0, 4.0])
    criteria = GammaCriteria(dose_pct=2, distance_cm=0.2)
    found = compare_doses(reference, [x], 1.03 * reference, [x], criteria, reference_sigma=sigma)
    assert found.gamma == pytest.approx(3.0 / (2.0 + sigma), rel=1e-5)
    assert found.is_widened
    with pytest.raises(Refused, match="standard deviation needs"):
        compare_doses(reference, [x], reference, [x], criteria, reference_sigma=-sigma)
    with pytest.raises(Refused, match="standard deviation needs"):
        compare_doses(reference, [x], reference, [x], criteria, reference_sigma=sigma[:2])


def test_reference_points_beyond_the_evaluated_grid_are_counted():
    small = VoxelGrid(origin_cm=(0.5, 0.5, 0.5), spacing_cm=(0.25,) * 3, shape_zyx=(5, 5, 5))
    large = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(0.5,) * 3, shape_zyx=(5, 5, 5))
    criteria = GammaCriteria(dose_pct=3, distance_cm=0.3)
    found = compare_dose_grids(np.full((5, 5, 5), 2.0), large, np.full((5, 5, 5), 2.0), small, criteria)
    assert found.points_outside == 5**3 - 3**3
    assert found.gamma[2, 2, 2] == 0
    assert found.gamma[2, 2, 0] == pytest.approx(0.5 / 0.3, rel=1e-5)  # half a centimetre to the nearest dose there is
    assert (
        compare_dose_grids(np.full((5,) * 3, 2.0), small, np.full((5,) * 3, 2.0), large, criteria).points_outside == 0
    )


def test_against_another_programs_gamma():
    """pymedphys 0.41.0 with interp_fraction 100, which samples every 0.02 mm: its values on this pair of planes."""
    y, x = np.arange(0, 8.01, 0.4), np.arange(0, 10.01, 0.5)
    fine_y, fine_x = np.arange(0, 8.01, 0.25), np.arange(0, 10.01, 0.25)

    def peak(y_cm, x_cm, y_middle, x_middle):
        return 50 + 30 * np.exp(-(((x_cm[None, :] - x_middle) / 2.5) ** 2) - ((y_cm[:, None] - y_middle) / 2) ** 2)

    reference = peak(y, x, 4.0, 5.0)
    ripple = 0.8 * np.sin(7 * fine_x[None, :] + 3 * fine_y[:, None])
    evaluated = 1.03 * peak(fine_y, fine_x, 3.9, 5.25) + ripple
    theirs = np.array([
        [0.9201, 1.2449, 1.105, 0.6819, 0.8194],
        [0.4803, 0.5079, 1.3676, 1.4828, 0.9296],
        [0.1983, 0.0748, 0.6544, 1.2052, 0.8367],
        [0.5608, 0.7338, 0.7559, 0.6679, 0.5396],
    ])  # fmt: skip
    world = compare_doses(reference, [y, x], evaluated, [fine_y, fine_x], GammaCriteria(dose_pct=2, distance_cm=0.2))
    assert world.gamma[2:18:5, 3:20:4] == pytest.approx(theirs, abs=1e-3)
    assert world.pass_rate_pct == pytest.approx(61.90476, abs=1e-4)
    assert world.mean_ratio == pytest.approx(0.84054, abs=1e-4)
    criteria = GammaCriteria(dose_pct=3, distance_cm=0.2, is_local=True)
    local = compare_doses(reference, [y, x], evaluated, [fine_y, fine_x], criteria)
    assert local.pass_rate_pct == pytest.approx(60.99773, abs=1e-4)
    assert local.mean_ratio == pytest.approx(0.84212, abs=1e-4)
