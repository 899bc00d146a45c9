"""The pencil beam engine: identity, symmetry, geometry, heterogeneity, refusals."""

import attrs
import numba
import numpy as np
import pytest

from ert.analysis.depth import depth_quantities
from ert.domain.plan import DoseTo
from ert.dose.engine import compute_beam_dose, trace_ssd_cm
from ert.dose.output import rectangle_cm
from ert.dose.water import axis_depth_dose_gy_per_mu, given_point_cm, line_dose_gy_per_mu
from ert.errors import Cancelled, OutsideModel
from ert.geometry.grid import VoxelGrid
from ert.geometry.resample import sample_at
from tests.unit.dose.beams import beam, demo, line_grid, slab_phantom

WATER = slab_phantom([(14.0, 1.0)])


def run(tissue, geometry, energy=12.0, grid=None, **more):
    return compute_beam_dose(
        tissue=tissue, geometry=geometry, model=demo().model(energy), dose_grid=grid or tissue.grid, **more
    )


@pytest.mark.parametrize(("energy", "limit_pct"), [(6.0, 0.25), (12.0, 0.15), (20.0, 0.15)])
def test_the_reference_field_in_water_gives_back_the_measured_depth_dose(energy, limit_pct):
    """physics: g(z) is derived from this curve, so the engine must return it (rest: interpolation between planes)."""
    model = demo().model(energy)
    count = int(1.15 * model.practical_range_cm / 0.1)
    result = run(WATER, beam(), energy, line_grid(count))
    depth = 0.05 + 0.1 * np.arange(count)
    wanted = np.interp(depth, model.reference_depth_cm, model.reference_dose_gy_per_mu)
    error_pct = 100 * np.abs(result.gy_per_mu[0, :, 0] - wanted) / wanted.max()
    assert error_pct[1:].max() < limit_pct
    assert result.ssd_cm == pytest.approx(100.0, abs=0.01)
    assert 100 * result.given_dose_gy_per_mu == pytest.approx(1.0, abs=0.006)


@pytest.mark.parametrize("field", [(10.0, 10.0), (3.0, 3.0), (4.0, 8.0)])
def test_two_independent_sums_give_the_same_dose(field):
    """Planes of cut and merged pencils against the plain sum over all pixels on the axis."""
    model, geometry = demo().model(20.0), beam(rectangle_cm(*field))
    from ert.dose.fluence import build_fluence
    from ert.dose.pencil_beam import water_dose

    common = {"sad_cm": 100.0, "insert_distance_cm": 95.0}
    fluence = build_fluence(model, geometry.outline_cm, geometry.applicator, **common)
    depths = np.arange(0.25, 11.0, 0.5)
    planes = water_dose(model, fluence, ssd_cm=105.0, depths_cm=depths, **common)
    half = planes.shape[1] // 2
    x, y = fluence.x_cm[half + 1], fluence.y_cm[half - 2]
    line = line_dose_gy_per_mu(model, fluence, ssd_cm=105.0, depths_cm=depths, at_cm=(x, y), **common)
    assert planes[:, half - 2, half + 1] == pytest.approx(line, abs=1.5e-3 * line.max())


@pytest.mark.parametrize("energy", [6.0, 20.0])
def test_narrow_openings_lose_nothing_between_the_pencils(energy):
    """Dose voxels on the axis of 2 × 2 cm² against the exact sum there; a lattice of 2.5 mm lost up to 2 %."""
    geometry, count = beam(rectangle_cm(2.0, 2.0)), int(0.6 * demo().model(energy).practical_range_cm / 0.1)
    depth = 0.05 + 0.1 * np.arange(count)
    exact = axis_depth_dose_gy_per_mu(demo().model(energy), geometry, ssd_cm=100.0, depths_cm=depth)
    dose = run(WATER, geometry, energy, line_grid(count)).gy_per_mu[0, :, 0]
    assert dose[2:] == pytest.approx(exact[2:], rel=7e-3)


def test_a_symmetric_field_gives_a_symmetric_dose():
    grid = VoxelGrid(origin_cm=(-7.8, 0.2, -7.8), spacing_cm=(0.4, 0.8, 0.4), shape_zyx=(40, 8, 40))
    dose = run(WATER, beam(rectangle_cm(6.0, 9.0)), grid=grid).gy_per_mu
    assert dose == pytest.approx(dose[:, :, ::-1], abs=1e-5 * float(dose.max()))
    assert dose == pytest.approx(dose[::-1], abs=1e-5 * float(dose.max()))
    assert not np.allclose(dose, dose.transpose(2, 1, 0), atol=1e-3 * dose.max())


def test_moving_patient_and_beam_together_moves_the_dose():
    here = run(WATER, beam(rectangle_cm(5.0, 5.0)), grid=line_grid(40)).gy_per_mu
    shift = np.array([3.0, -2.0, 5.0])
    moved = attrs.evolve(WATER, grid=attrs.evolve(WATER.grid, origin_cm=np.array(WATER.grid.origin_cm) + shift))
    grid = attrs.evolve(line_grid(40), origin_cm=np.array(line_grid(40).origin_cm) + shift)
    there = run(moved, beam(rectangle_cm(5.0, 5.0), isocentre_cm=tuple(shift)), grid=grid).gy_per_mu
    assert there == pytest.approx(here, rel=1e-4)


def test_turning_patient_and_beam_together_turns_the_dose():
    """Gantry 90 enters from the patient's left: the same slabs along x instead of y."""
    slabs = [(1.4, 1.0), (2.0, 0.3), (6.0, 1.0)]
    front = run(slab_phantom(slabs), beam(), grid=line_grid(80)).gy_per_mu[0, :, 0]
    volume = slab_phantom(slabs, axis=0)
    mirrored = attrs.evolve(
        volume,
        grid=attrs.evolve(volume.grid, origin_cm=(-9.4 + 0.1, *volume.grid.origin_cm[1:])),
        density_g_cm3=np.ascontiguousarray(volume.density_g_cm3[:, :, ::-1]),
        relative_stopping=np.ascontiguousarray(volume.relative_stopping[:, :, ::-1]),
        relative_scattering=np.ascontiguousarray(volume.relative_scattering[:, :, ::-1]),
    )
    grid = line_grid(80, axis=0, start_cm=-0.05 - 7.9)
    left = run(mirrored, beam(gantry_deg=90.0), grid=grid).gy_per_mu[0, 0, ::-1]
    assert left == pytest.approx(front, abs=2e-3 * float(front.max()))


def test_the_same_bytes_for_one_and_two_threads():
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("this process was started with one thread")
    grid = VoxelGrid(origin_cm=(-6, 0, -6), spacing_cm=(0.5, 0.5, 0.5), shape_zyx=(25, 14, 25))
    doses = []
    for threads in (1, 2):
        numba.set_num_threads(threads)
        doses.append(run(slab_phantom([(2.0, 1.0), (3.0, 0.3), (4.0, 1.5)]), beam(), grid=grid).gy_per_mu.tobytes())
    assert doses[0] == doses[1]


def test_a_low_density_slab_moves_the_depth_dose_by_water_equivalent_depth():
    """Behind a wide slab of lung the dose is the water dose at the same effective depth, less inverse square."""
    energy, model = 12.0, demo().model(12.0)
    geometry = beam(applicator="A20")
    depth = 0.05 + 0.1 * np.arange(90)
    slab = run(
        slab_phantom([(2.0, 1.0), (4.0, 0.25), (6.0, 1.0)]), geometry, energy, line_grid(90), dose_to=DoseTo.WATER
    )
    water = run(WATER, geometry, energy, line_grid(90), dose_to=DoseTo.WATER)
    behind = (depth > 6.2) & (depth < 8.3)
    effective = depth[behind] - 3.0
    virtual = model.source.virtual_sad_cm
    wanted = np.interp(effective, depth, water.gy_per_mu[0, :, 0])
    wanted *= ((virtual + effective) / (virtual + depth[behind])) ** 2
    assert slab.gy_per_mu[0, behind, 0] == pytest.approx(wanted, abs=0.015 * wanted.max())


def test_on_the_axis_of_an_oblique_beam_the_depth_along_the_beam_counts():
    """30 degrees on a flat surface: R50 along the axis stays within 3 mm of the normal one (AAPM TG-25: obliquity moves
    depth dose towards the surface by far less than the 1/cos 30 that a wrong path length would give, 7 mm at 12 MeV).
    """
    distances = np.arange(0.2, 6.5, 0.1)
    slanted = distances[:, None] * np.array([-0.5, np.cos(np.pi / 6), 0.0])
    grid = VoxelGrid(origin_cm=(-3.3, 0.1, 0.0), spacing_cm=(0.1,) * 3, shape_zyx=(1, 60, 36))
    oblique = run(WATER, beam(applicator="A20", gantry_deg=30.0), grid=grid)
    assert oblique.ssd_cm == pytest.approx(100.0, abs=0.02)
    straight = run(WATER, beam(applicator="A20"), grid=line_grid(63, start_cm=0.2)).gy_per_mu[0, :, 0]
    r50 = [
        depth_quantities(distances, dose.astype(np.float64), needs_tail=False).r50_cm
        for dose in (sample_at(oblique.gy_per_mu, grid, slanted), straight)
    ]
    assert -0.3 < r50[0] - r50[1] < 0.0


def test_dose_stops_at_the_surface_without_a_dip_or_a_bleed():
    grid = VoxelGrid(origin_cm=(0.0, -0.9, 0.0), spacing_cm=(0.2, 0.2, 0.2), shape_zyx=(1, 20, 1))
    dose = run(WATER, beam(), grid=grid).gy_per_mu[0, :, 0]
    depth = -0.9 + 0.2 * np.arange(20)
    assert np.all(dose[depth < 0] == 0)
    model = demo().model(12.0)
    wanted = np.interp(depth[depth > 0], model.reference_depth_cm, model.reference_dose_gy_per_mu)
    assert dose[depth > 0] == pytest.approx(wanted, rel=0.01)


def test_outside_the_patient_mask_there_is_no_dose_and_inside_air_there_is():
    tissue = slab_phantom([(2.0, 1.0), (1.0, 0.0012), (4.0, 1.0)])
    depth = tissue.grid.axis_centres_cm(1) + tissue.grid.origin_cm[1]
    inside = np.broadcast_to((depth > 0)[None, :, None], tissue.grid.shape_zyx).copy()
    inside[: inside.shape[0] // 2] = False
    grid = VoxelGrid(origin_cm=(0, 0.1, -1.1), spacing_cm=(0.2, 0.2, 0.2), shape_zyx=(12, 30, 1))
    dose = run(attrs.evolve(tissue, is_patient=inside), beam(), grid=grid).gy_per_mu
    assert np.all(dose[:5] == 0)
    assert np.all(dose[7:, 10:15] > 0.5 * dose.max())


def test_dose_to_medium_is_dose_to_water_times_the_stopping_power_ratio():
    tissue = slab_phantom([(1.0, 1.0), (2.0, 1.85), (4.0, 1.0)])
    bone = tissue.density_g_cm3 == np.float32(1.85)
    stopping = np.where(bone, np.float32(1.72), tissue.relative_stopping)
    tissue = attrs.evolve(tissue, relative_stopping=stopping)
    water = run(tissue, beam(), grid=line_grid(40), dose_to=DoseTo.WATER).gy_per_mu[0, :, 0]
    medium = run(tissue, beam(), grid=line_grid(40)).gy_per_mu[0, :, 0]
    depth = 0.05 + 0.1 * np.arange(40)
    ratio = np.where((depth > 1.0) & (depth < 3.0), 1.72 / 1.85, 1.0)
    assert medium == pytest.approx(water * ratio, rel=1e-5)


def test_two_hundred_percent_of_the_monitor_units_is_twice_the_dose():
    from ert.domain.dose import plan_dose_gy

    result = run(WATER, beam(), grid=line_grid(10))
    assert plan_dose_gy([result], [200.0], 5) == pytest.approx(2 * plan_dose_gy([result], [100.0], 5))


@pytest.mark.parametrize(
    ("geometry", "energy", "words"),
    [
        (beam(rectangle_cm(10.4, 6.0)), 12.0, "beyond the opening"),
        (beam(rectangle_cm(1.0, 1.2)), 12.0, "smallest commissioned"),
        (beam(isocentre_cm=(0.0, -30.0, 0.0)), 12.0, "was commissioned for"),
        (beam(isocentre_cm=(40.0, 0.0, 0.0)), 12.0, "does not meet the patient"),
    ],
)
def test_what_was_not_commissioned_is_refused(geometry, energy, words):
    with pytest.raises(OutsideModel, match=words):
        run(WATER, geometry, energy, line_grid(5))


def test_an_unknown_energy_and_applicator_are_refused():
    with pytest.raises(OutsideModel, match="no beam model for 9 MeV"):
        demo().model(9.0)
    geometry = beam()
    strange = attrs.evolve(geometry, applicator=attrs.evolve(geometry.applicator, id="A99"))
    with pytest.raises(OutsideModel, match="A99"):
        run(WATER, strange, grid=line_grid(5))


def test_a_cutout_below_the_smallest_measured_is_computed_with_a_warning():
    warnings = run(WATER, beam(rectangle_cm(1.8, 1.8)), grid=line_grid(5)).warnings
    assert any("verify the output" in w for w in warnings)
    assert any("not for clinical use" in w for w in warnings)


def test_cancelling_stops_the_computation():
    def stop():
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        run(WATER, beam(), grid=line_grid(5), check=stop)


def test_progress_rises_to_one():
    seen = []
    run(WATER, beam(), grid=line_grid(5), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_the_distance_to_a_surface_on_a_voxel_face_is_exact():
    assert trace_ssd_cm(WATER, beam()) == pytest.approx(100.0, abs=1e-3)
    assert trace_ssd_cm(WATER, beam(isocentre_cm=(0, -10.0, 0))) == pytest.approx(110.0, abs=1e-3)


def test_with_the_axis_at_an_edge_the_given_dose_is_that_of_the_middle_of_the_opening():
    """The same 6 × 6 cm opening, moved until the axis lies on its edge: on the axis itself half the dose is left."""
    square = rectangle_cm(6.0, 6.0)
    middle = run(WATER, beam(square, applicator="A20"), grid=line_grid(3))
    edge = run(WATER, beam([(x + 3.0, y) for x, y in square], applicator="A20"), grid=line_grid(3))
    assert edge.given_dose_gy_per_mu == pytest.approx(middle.given_dose_gy_per_mu, rel=0.01)
    assert any("(3.0, 0.0) cm" in text for text in edge.warnings)
    assert not any("beam axis" in text for text in middle.warnings)
    assert given_point_cm(rectangle_cm(1.6, 9.0)) == (0.0, 0.0)
    assert given_point_cm([(x + 0.9, y) for x, y in rectangle_cm(4.0, 4.0)]) == (0.0, 0.0)


@pytest.mark.parametrize("collimator_deg", [0.0, 90.0])
def test_rows_along_a_line_of_the_fan_get_the_dose_of_rows_beside_it(collimator_deg):
    tissue = slab_phantom([(2.0, 1.0), (1.0, 0.3), (4.0, 1.0)], voxel_cm=0.4, width_cm=16.0)
    model = demo().model(12.0)
    straight, turned = (
        compute_beam_dose(
            tissue=tissue, geometry=beam(rectangle_cm(6.0, 8.0), isocentre_cm=(0.0, 0.1, 0.0), collimator_deg=turn),
            model=model, dose_grid=tissue.grid,
        ).gy_per_mu
        for turn in (collimator_deg, collimator_deg + 1e-6)
    )  # fmt: skip
    assert np.count_nonzero(straight) > 20_000
    assert np.abs(straight - turned).max() < 1e-5 * straight.max()


@pytest.mark.parametrize("gantry_deg", [0.0, 90.0, 180.0, 270.0])
@pytest.mark.parametrize("couch_deg", [0.0, 90.0, 270.0])
def test_rows_that_run_beside_a_border_of_the_fan_end_within_the_tissue(gantry_deg, couch_deg):
    tissue = slab_phantom([(8.0, 1.0)], voxel_cm=0.5, width_cm=8.0, above_cm=0.0)
    geometry = beam(rectangle_cm(5.0, 5.0), gantry_deg=gantry_deg, isocentre_cm=(0.0, 4.0, 0.0), collimator_deg=90.0)
    middle = attrs.evolve(geometry.frame, couch_deg=couch_deg)
    surface_cm = tuple(float(v) for v in middle.to_patient(np.array([[0.0, 0.0, 4.0]]))[0])
    turned = attrs.evolve(geometry, frame=attrs.evolve(middle, isocentre_cm=surface_cm))
    wide = VoxelGrid(origin_cm=(-30.0, -30.0, -30.0), spacing_cm=(0.5,) * 3, shape_zyx=(120, 120, 120))
    result = compute_beam_dose(tissue=tissue, geometry=turned, model=demo().model(12.0), dose_grid=wide)
    z, y, x = (wide.origin_cm[i] + wide.axis_centres_cm(i) for i in (2, 1, 0))
    zz, yy, xx = np.meshgrid(z, y, x, indexing="ij")
    is_outside = (np.abs(xx) > 4.3) | (np.abs(zz) > 4.3) | (yy < -0.3) | (yy > 8.3)
    assert np.count_nonzero(result.gy_per_mu) > 500
    assert not result.gy_per_mu[is_outside].any()
