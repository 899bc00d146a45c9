"""Histograms against closed forms: solids in a linear dose gradient (as in Nelms et al, Med Phys 42 (2015) 4435)."""

import numpy as np
import pytest

from ert.analysis.dvh import compute_dvh
from ert.analysis.metrics import dose_at_cc_gy, dose_at_volume_gy, volume_at_dose_pct
from ert.domain.dvh import Dvh
from ert.errors import Refused
from ert.geometry.contours import EndRule
from ert.geometry.grid import VoxelGrid
from tests.shapes import box, circle_xy, cylinder, polygon, rotation, sphere, structure

GRID = VoxelGrid(origin_cm=(-5.03, -5.07, -5.02), spacing_cm=(0.25, 0.25, 0.25), shape_zyx=(41, 41, 41))
GRADIENT_GY_CM = 1.0
CENTRE_GY = 30.0


def gradient_dose(axis, grid=GRID):
    k, j, i = np.indices(grid.shape_zyx)
    return (CENTRE_GY + GRADIENT_GY_CM * grid.point_cm(np.stack([i, j, k], axis=-1))[..., axis]).astype(np.float32)


def dose_at(volume_of_u, percent, radius):
    """Dose that `percent` of the volume exceeds, from the closed form of the volume above u = (D - D0) / (g R)."""
    u = np.linspace(-1, 1, 100_001)
    return CENTRE_GY + GRADIENT_GY_CM * radius * float(np.interp(-percent, -100 * volume_of_u(u), u))


def sphere_above(u):
    return (2 - 3 * u + u**3) / 4


def cylinder_across_above(u):
    return (np.arccos(u) - u * np.sqrt(1 - u**2)) / np.pi


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_sphere_in_a_gradient(axis, phase):
    radius = 3.0
    dvh = compute_dvh(sphere(radius, spacing=0.25, phase=phase), gradient_dose(axis), GRID)
    true_cc = 4 / 3 * np.pi * radius**3
    assert dvh.volume_cc == pytest.approx(true_cc, rel=0.002)
    assert dvh.mean_gy == pytest.approx(CENTRE_GY, abs=0.001)
    for percent in (98, 95, 50, 5, 2):
        assert dose_at_volume_gy(dvh, percent) == pytest.approx(dose_at(sphere_above, percent, radius), abs=0.02)
    assert dose_at_cc_gy(dvh, 2.0) == pytest.approx(dose_at(sphere_above, 200 / true_cc, radius), abs=0.02)
    assert volume_at_dose_pct(dvh, 31.0) == pytest.approx(100 * sphere_above(1 / 3), abs=0.1)


def coarse_grid(voxel_cm):
    shape = tuple(int(10.0 / s) + 1 for s in reversed(voxel_cm))
    return VoxelGrid(origin_cm=(-5.01, -4.98, -4.93), spacing_cm=voxel_cm, shape_zyx=shape)


GRIDS = [GRID, coarse_grid((0.2, 0.2, 0.2)), coarse_grid((0.3, 0.25, 0.5)), coarse_grid((0.5, 0.5, 0.5))]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("axis", [0, 1])
def test_cylinder_across_the_gradient(axis, grid):
    dvh = compute_dvh(cylinder(2.0, np.arange(-2, 2.01, 0.25)), gradient_dose(axis, grid), grid)
    assert dvh.volume_cc == pytest.approx(np.pi * 4 * 4.25, rel=0.001)
    for percent in (95, 50, 5):
        assert dose_at_volume_gy(dvh, percent) == pytest.approx(dose_at(cylinder_across_above, percent, 2.0), abs=0.01)


@pytest.mark.parametrize("grid", GRIDS)
def test_cylinder_along_the_gradient(grid):
    dvh = compute_dvh(cylinder(2.0, np.arange(-1.875, 2, 0.25)), gradient_dose(2, grid), grid)  # from z = -2 to 2
    for percent in (95, 70, 50, 5):
        assert dose_at_volume_gy(dvh, percent) == pytest.approx(CENTRE_GY + 2 * (1 - percent / 50), abs=0.005)
    assert (dvh.min_gy, dvh.max_gy) == pytest.approx((28.0, 32.0), abs=0.03)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("plane_cm", [0.1, 0.2])
def test_cone_with_its_apex_in_high_dose(plane_cm, grid):
    length = 4.0
    planes = np.arange(-2 + plane_cm / 2, 2, plane_cm)
    part = structure([polygon(circle_xy(2 * (2 - z) / length), z) for z in planes])
    dvh = compute_dvh(part, gradient_dose(2, grid), grid)
    assert dvh.volume_cc == pytest.approx(np.pi * 4 * length / 3, rel=0.002)
    for v in (0.1, 0.3, 0.6):
        assert volume_at_dose_pct(dvh, 28 + length * v) == pytest.approx(100 * (1 - v) ** 3, abs=0.3)


def test_small_sphere_has_its_volume_where_contours_are_fine():
    radius = (3 / (4 * np.pi)) ** (1 / 3)  # 1 cm³
    for phase in (0.0, 0.25, 0.5):
        dvh = compute_dvh(sphere(radius, spacing=0.1, phase=phase), gradient_dose(0), GRID)
        assert dvh.volume_cc == pytest.approx(1.0, rel=0.005)
        assert dose_at_volume_gy(dvh, 95) == pytest.approx(dose_at(sphere_above, 95, radius), abs=0.02)


@pytest.mark.parametrize("plane_cm", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("voxel_cm", [(0.2, 0.2, 0.2), (0.3, 0.25, 0.5), (0.5, 0.5, 0.5)])
@pytest.mark.parametrize("radius", [1.0, 3.0])
def test_spheres_on_many_grids_and_planes(radius, voxel_cm, plane_cm):
    """Volume: what slabs of a sphere lack, at most h² / (4 R²) (trapezoid rule), and 0.1 % for our part."""
    grid = coarse_grid(voxel_cm)
    true_cc = 4 / 3 * np.pi * radius**3
    for phase in (0.0, 0.5):
        dvh = compute_dvh(sphere(radius, spacing=plane_cm, phase=phase), gradient_dose(0, grid), grid)
        assert abs(dvh.volume_cc / true_cc - 1) < 0.001 + plane_cm**2 / (4 * radius**2)
        assert dvh.mean_gy == pytest.approx(CENTRE_GY, abs=0.001)
        for percent in (95, 50, 5):
            assert dose_at_volume_gy(dvh, percent) == pytest.approx(dose_at(sphere_above, percent, radius), abs=0.02)
        for u in (-0.5, 1 / 3):
            wanted = 100 * sphere_above(u)
            limit = 0.1 + wanted * plane_cm**2 / (4 * radius**2)  # 0.3 % where planes lie a tenth of the radius apart
            assert volume_at_dose_pct(dvh, CENTRE_GY + GRADIENT_GY_CM * radius * u) == pytest.approx(wanted, abs=limit)


def segment_area(offset, radius):
    """Area of a disc beyond a line at a distance from its centre."""
    u = np.clip(offset / radius, -1, 1)
    return radius**2 * (np.arccos(u) - u * np.sqrt(1 - u**2))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("plane_cm", [0.1, 0.25])
@pytest.mark.parametrize("volume_cc", [0.1, 0.25, 1.0, 10.0])
def test_small_spheres_are_what_slabs_of_their_contours_are(volume_cc, plane_cm, axis):
    """All error against the sphere is in the contours: against the slabs' closed form next to none is left."""
    radius, centre = (3 * volume_cc / (4 * np.pi)) ** (1 / 3), (0.07, 0.11, 0.03)
    for phase in (0.0, 0.2, 0.5):
        part = sphere(radius, spacing=plane_cm, phase=phase, centre=centre)
        dvh = compute_dvh(part, gradient_dose(axis), GRID)
        z = plane_cm * (np.arange(-400, 400) + phase)
        z = z[np.abs(z) < radius]
        discs = np.sqrt(radius**2 - z**2)
        at = np.linspace(-radius - plane_cm, radius + plane_cm, 2001)[:, None]
        if axis == 2:
            above_cc = (np.pi * discs**2 * np.clip(z + plane_cm / 2 - at, 0, plane_cm)).sum(axis=1)
        else:
            above_cc = (plane_cm * segment_area(at, discs)).sum(axis=1)
        assert dvh.volume_cc == pytest.approx(above_cc[0], rel=5e-4)
        for percent in (98, 95, 50, 5):
            wanted_gy = CENTRE_GY + centre[axis] + np.interp(-percent, -100 * above_cc / above_cc[0], at[:, 0])
            assert dose_at_volume_gy(dvh, percent) == pytest.approx(wanted_gy, abs=0.004)


@pytest.mark.parametrize("volume_cc", [1.0, 10.0])
def test_volume_is_right_in_the_mean_over_where_the_planes_fall(volume_cc):
    """Cavalieri's principle: area times spacing is too much here and too little there, and unbiased."""
    radius = (3 * volume_cc / (4 * np.pi)) ** (1 / 3)
    parts = [sphere(radius, spacing=0.25, phase=phase) for phase in np.arange(0.05, 1, 0.1)]
    found_cc = [compute_dvh(part, gradient_dose(0), GRID).volume_cc for part in parts]
    assert np.mean(found_cc) == pytest.approx(volume_cc, rel=0.001)
    assert np.ptp(found_cc) > 0.004 * volume_cc


def test_cone_across_the_gradient():
    """Slices of the cone across its axis are discs."""
    planes = np.arange(-1.95, 2, 0.1)
    radii = (2 - planes) / 2
    part = structure([polygon(circle_xy(r), z) for z, r in zip(planes, radii, strict=True)])
    dvh = compute_dvh(part, gradient_dose(1), GRID)
    fine_radii = np.linspace(0, 2, 4001)[1:]  # half a step off the middle of each slice, of 4000
    for u in (-1.2, -0.5, 0.0, 0.7):
        wanted_cc = float(segment_area(u, fine_radii).mean()) * 4
        assert volume_at_dose_pct(dvh, CENTRE_GY + u) == pytest.approx(100 * wanted_cc / (np.pi * 16 / 3), abs=0.1)


@pytest.mark.parametrize("plane_cm", [0.1, 0.2])
@pytest.mark.parametrize("is_cone", [False, True])
def test_lying_cylinder_and_cone_along_the_gradient(is_cone, plane_cm):
    """Axis from front to back, 4 cm long, 2 cm radius at the base: each plane holds a section along the axis."""
    y = np.linspace(-2, 2, 401)
    contours = []
    for z in np.arange(-2 + plane_cm / 2, 2, plane_cm):
        radius = (2 - y) / 2 if is_cone else np.full_like(y, 2.0)
        half = np.sqrt(np.maximum(radius**2 - z**2, 0))
        inside = half > 0
        outline = np.concatenate([np.column_stack([half, y])[inside], np.column_stack([-half, y])[inside][::-1]])
        contours.append(polygon(outline, z))
    dvh = compute_dvh(structure(contours), gradient_dose(1), GRID)
    limit = 0.002 if plane_cm == 0.1 else 0.006  # sections end steeply: planes tell less of them than of a sphere
    assert dvh.volume_cc == pytest.approx(np.pi * 16 * (1 / 3 if is_cone else 1), rel=limit)
    for v in (0.1, 0.3, 0.6):
        wanted_pct = 100 * ((1 - v) ** 3 if is_cone else 1 - v)
        assert volume_at_dose_pct(dvh, CENTRE_GY - 2 + 4 * v) == pytest.approx(wanted_pct, abs=0.3)


def test_tilted_structure_and_grid_agree_with_the_closed_form():
    axes = rotation(20, 35)
    dvh = compute_dvh(sphere(3.0, spacing=0.1, axes=axes), gradient_dose(0), GRID)
    tilted_grid = VoxelGrid(
        origin_cm=np.array([-5.0, -5.0, -5.0]) @ axes, spacing_cm=(0.25,) * 3, shape_zyx=(41, 41, 41), axes=axes
    )
    other = compute_dvh(sphere(3.0, spacing=0.1), gradient_dose(0, tilted_grid), tilted_grid)
    for result in (dvh, other):
        assert result.outside_cc == 0
        for percent in (95, 50, 5):
            assert dose_at_volume_gy(result, percent) == pytest.approx(dose_at(sphere_above, percent, 3.0), abs=0.01)


def test_grid_that_runs_backwards_gives_the_same():
    part = box((-1, 2), (-2, 1), np.arange(-1, 1.1, 0.25))
    turned = VoxelGrid(
        origin_cm=(5.0, 5.0, -5.0),
        spacing_cm=(0.25, 0.25, 0.25),
        shape_zyx=(41, 41, 41),
        axes=((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    )
    first = compute_dvh(part, gradient_dose(0), GRID)
    second = compute_dvh(part, gradient_dose(0, turned), turned)
    assert second.mean_gy == pytest.approx(first.mean_gy, abs=1e-4)
    assert dose_at_volume_gy(second, 10) == pytest.approx(CENTRE_GY + 1.7, abs=0.01)


def test_uniform_dose_is_a_step():
    dose = np.full(GRID.shape_zyx, 12.345, dtype=np.float32)
    dvh = compute_dvh(sphere(2.0, spacing=0.25), dose, GRID)
    assert (dvh.min_gy, dvh.mean_gy, dvh.max_gy) == pytest.approx((12.345,) * 3, abs=1e-5)
    assert dose_at_volume_gy(dvh, 95) == pytest.approx(12.345, abs=0.001)
    assert volume_at_dose_pct(dvh, 12.34) == 100
    assert volume_at_dose_pct(dvh, 12.36) == 0
    assert (dvh.volume_pct[0], dvh.volume_pct[-1]) == (100, 0)


def test_part_outside_the_dose_grid_receives_nothing():
    part = box((-7.155, 2.845), (-1, 1), np.arange(-1, 1.1, 0.25))  # 2 of 10 cm lie beyond the outer faces
    dvh = compute_dvh(part, np.full(GRID.shape_zyx, 10.0, dtype=np.float32), GRID)
    assert dvh.outside_cc == pytest.approx(0.2 * dvh.volume_cc, rel=1e-6)
    assert dvh.mean_gy == pytest.approx(8.0, rel=1e-6)
    assert dvh.min_gy == 0
    assert volume_at_dose_pct(dvh, 5.0) == pytest.approx(80.0, rel=1e-6)
    far = compute_dvh(box((50, 51), (0, 1), [0.0, 0.5]), gradient_dose(0), GRID)
    assert (far.min_gy, far.mean_gy, far.max_gy) == (0, 0, 0)


def test_low_doses_get_finer_bins_and_no_dose_is_no_trouble():
    fine = compute_dvh(sphere(2.0, spacing=0.25), gradient_dose(0) / 100, GRID)
    assert fine.dose_gy[1] < 0.001
    assert fine.mean_gy == pytest.approx(0.3, rel=1e-4)
    none = compute_dvh(sphere(2.0, spacing=0.25), np.zeros(GRID.shape_zyx, dtype=np.float32), GRID)
    assert (none.min_gy, none.mean_gy, none.max_gy) == (0, 0, 0)
    assert dose_at_volume_gy(none, 95) == 0


def test_end_rule():
    part = cylinder(2.0, [-0.5, -0.25, 0.0, 0.25])
    extended = compute_dvh(part, gradient_dose(0), GRID)
    ended = compute_dvh(part, gradient_dose(0), GRID, end_rule=EndRule.AT_PLANES)
    assert extended.volume_cc == pytest.approx(np.pi * 4 * 1.0, rel=1e-3)
    assert ended.volume_cc == pytest.approx(np.pi * 4 * 0.75, rel=1e-3)
    lone = compute_dvh(cylinder(2.0, [0.0]), gradient_dose(0), GRID, end_rule=EndRule.AT_PLANES)
    assert lone.volume_cc == pytest.approx(np.pi * 4 * 0.25, rel=1e-3)


def test_refusals():
    dose = gradient_dose(0)
    with pytest.raises(Refused, match="has no contours"):
        compute_dvh(structure([]), dose, GRID)
    with pytest.raises(Refused, match="its grid"):
        compute_dvh(sphere(1, spacing=0.25), dose[:-1], GRID)
    with pytest.raises(Refused, match="negative"):
        compute_dvh(sphere(1, spacing=0.25), dose - 30, GRID)
    for odd in (np.nan, -np.nan, np.inf, -np.inf, -1e-30):
        spoilt = np.where(np.arange(dose.size).reshape(dose.shape) == 77, np.float32(odd), dose)
        spoilt[0, 0, 0] = -0.0  # which is no negative dose
        with pytest.raises(Refused, match="negative"):
            compute_dvh(sphere(1, spacing=0.25), spoilt, GRID)
    assert compute_dvh(sphere(1, spacing=0.25), np.full_like(dose, -0.0), GRID).max_gy == 0
    with pytest.raises(Refused, match="encloses no volume"):
        compute_dvh(structure([polygon([(0, 0), (1, 0), (2, 0), (1, 0), (0.5, 1e-12)], 0.0)] * 2), dose, GRID)
    with pytest.raises(Refused, match="do not match"):
        Dvh(
            structure_number=1,
            name="x",
            volume_cc=1,
            dose_gy=[0, 1, 2],
            volume_pct=[100, 0],
            min_gy=0,
            mean_gy=1,
            max_gy=2,
        )
