"""The redefinition engine on phantoms: reference, geometry, inhomogeneity, shields, refusals."""

import attrs
import numba
import numpy as np
import pytest

from ert.analysis.depth import depth_quantities
from ert.commissioning.beam_data import read_beam_data
from ert.domain.algorithm import Algorithm
from ert.domain.plan import DoseTo
from ert.dose.engine import compute_beam_dose
from ert.dose.output import rectangle_cm
from ert.errors import Cancelled, OutsideModel
from ert.geometry.grid import VoxelGrid
from ert.settings import resources_dir
from tests.unit.dose.beams import beam, demo, line_grid, slab_phantom

WATER = slab_phantom([(14.0, 1.0)])


def run(tissue, geometry, energy=12.0, grid=None, model=None, **more):
    return compute_beam_dose(
        tissue=tissue, geometry=geometry, model=model or demo().model(energy), dose_grid=grid or tissue.grid,
        algorithm=Algorithm.PBRA, **more,
    )  # fmt: skip


@pytest.mark.parametrize("energy", [6.0, 12.0, 20.0])
def test_the_reference_depth_dose_comes_back(energy):
    model = demo().model(energy)
    count = int(1.3 * model.practical_range_cm / 0.1)
    result = run(WATER, beam(), energy, line_grid(count))
    depth = 0.05 + 0.1 * np.arange(count)
    dose = result.gy_per_mu[0, :, 0].astype(np.float64)
    wanted = np.interp(depth, model.reference_depth_cm, model.reference_dose_gy_per_mu)
    found, given = depth_quantities(depth, dose), depth_quantities(depth, wanted)
    assert found.r50_cm == pytest.approx(given.r50_cm, abs=0.05)
    assert found.r90_cm == pytest.approx(given.r90_cm, abs=0.08)
    off = np.abs(dose - wanted) / wanted.max()
    assert off[depth < 0.9 * model.practical_range_cm].max() < 0.006
    assert off.max() < 0.012
    assert result.engine.startswith("pbra ")


def test_dose_does_not_depend_on_where_air_before_the_surface_begins():
    """Planes stand on the surface, wherever the scan begins: 1 cm or 1.1 cm of air is the same water."""
    doses = [
        run(slab_phantom([(4.0, 1.0)], voxel_cm=0.1, width_cm=14.0, above_cm=above), beam(), 20.0, line_grid(20))
        for above in (1.0, 1.1)
    ]
    first, second = (d.gy_per_mu[0, :, 0] for d in doses)
    assert second == pytest.approx(first, rel=1e-4)


def test_build_up_follows_the_material_met_not_the_planes():
    """A voxel of bolus on the surface moves the beam's build-up by its thickness, though planes are 2.5 mm apart."""
    model = demo().model(20.0)
    for thickness_cm in (0.1, 0.2, 0.3):
        bolus = with_box(
            slab_phantom([(6.0, 1.0)], voxel_cm=0.1, width_cm=14.0), ((-7, 7), (-thickness_cm, 0.0), (-7, 7)), 1.0
        )
        dose = run(bolus, beam(isocentre_cm=(0.0, 0.0, 0.0)), 20.0, line_grid(5), dose_to=DoseTo.WATER)
        depth = thickness_cm + 0.05 + 0.1 * np.arange(5)
        wanted = np.interp(depth, model.reference_depth_cm, model.reference_dose_gy_per_mu)
        assert dose.gy_per_mu[0, :, 0] == pytest.approx(wanted, rel=0.012)


def test_the_depth_dose_measured_at_another_ssd_comes_back():
    """20 MeV at 110 cm, where insert electrons reach the surface less: within its noise (0.8 % a point) on average."""
    (energy,) = read_beam_data(resources_dir() / "demo_machine" / "beam_data", energies_mev=[20.0]).energies
    (curve,) = [c for c in energy.curves if c.kind == "depth_dose" and c.field.ssd_cm == 110.0]
    dose = run(WATER, beam(isocentre_cm=(0.0, -10.0, 0.0)), 20.0, line_grid(90)).gy_per_mu[0, :, 0] * 100.0
    found = np.interp(curve.position_cm, 0.05 + 0.1 * np.arange(90), dose) / curve.dose
    for low, high in ((0.0, 1.0), (1.0, 2.5), (2.5, 4.5), (4.5, 7.0)):
        part = (curve.position_cm > low) & (curve.position_cm < high)
        assert found[part].mean() == pytest.approx(1.0, abs=0.008)


def test_a_model_fitted_before_there_were_factors_over_depth_has_none():
    old = attrs.evolve(demo().model(12.0).redefinition, depth_frac=(), depth_factor=(), distance_slope_per_cm=())
    model = attrs.evolve(demo().model(12.0), redefinition=old)
    for ssd_offset_cm in (0.0, 8.0):
        geometry = beam(rectangle_cm(5.0, 5.0), isocentre_cm=(0.0, -ssd_offset_cm, 0.0))
        assert run(WATER, geometry, grid=line_grid(30), model=model).gy_per_mu.min() > 0.0


def test_a_symmetric_field_gives_a_symmetric_dose():
    grid = VoxelGrid(origin_cm=(-7.8, 0.2, -7.8), spacing_cm=(0.4, 0.8, 0.4), shape_zyx=(40, 8, 40))
    dose = run(WATER, beam(rectangle_cm(6.0, 9.0)), grid=grid).gy_per_mu
    assert dose == pytest.approx(dose[:, :, ::-1], abs=1e-5 * float(dose.max()))
    assert dose == pytest.approx(dose[::-1], abs=1e-5 * float(dose.max()))


def test_turning_patient_and_beam_together_turns_the_dose():
    """Gantry 90 enters from the patient's left: the same slabs along x instead of y."""
    slabs = [(1.4, 1.0), (2.0, 0.3), (6.0, 1.0)]
    front = run(slab_phantom(slabs), beam(rectangle_cm(6.0, 6.0)), grid=line_grid(80)).gy_per_mu[0, :, 0]
    volume = slab_phantom(slabs, axis=0)
    mirrored = attrs.evolve(
        volume,
        grid=attrs.evolve(volume.grid, origin_cm=(-9.4 + 0.1, *volume.grid.origin_cm[1:])),
        density_g_cm3=np.ascontiguousarray(volume.density_g_cm3[:, :, ::-1]),
        relative_stopping=np.ascontiguousarray(volume.relative_stopping[:, :, ::-1]),
        relative_scattering=np.ascontiguousarray(volume.relative_scattering[:, :, ::-1]),
    )
    grid = line_grid(80, axis=0, start_cm=-0.05 - 7.9)
    left = run(mirrored, beam(rectangle_cm(6.0, 6.0), gantry_deg=90.0), grid=grid).gy_per_mu[0, 0, ::-1]
    assert left == pytest.approx(front, abs=0.01 * float(front.max()))


def with_box(tissue, box_cm, density):
    """The phantom with one box (x, y, z ranges) of another density."""
    centres = [tissue.grid.axis_centres_cm(a) + tissue.grid.origin_cm[a] for a in range(3)]
    inside = [(c > low) & (c < high) for c, (low, high) in zip(centres, box_cm, strict=True)]
    where = np.ix_(*inside[::-1])
    volume = tissue.density_g_cm3.copy()
    volume[where] = density
    return attrs.evolve(tissue, density_g_cm3=volume, relative_stopping=volume, relative_scattering=volume)


def test_electrons_stream_along_a_narrow_air_channel_and_are_missing_beside_it():
    """Hot behind the channel, cold at its rim: what a pencil per ray cannot know (physics: Shiu and Hogstrom 1991)."""
    grid = VoxelGrid(origin_cm=(-4.9, 3.5, 0.0), spacing_cm=(0.2, 0.2, 0.2), shape_zyx=(1, 1, 50))
    channel = with_box(WATER, ((-0.5, 0.5), (1.0, 3.0), (-12, 12)), 0.0012)
    ratio = (run(channel, beam(), grid=grid).gy_per_mu / run(WATER, beam(), grid=grid).gy_per_mu)[0, 0]
    x = -4.9 + 0.2 * np.arange(50)
    assert ratio[np.abs(x) < 0.3].mean() > 1.05
    assert ratio[(np.abs(x) > 0.8) & (np.abs(x) < 1.6)].min() < 0.98
    assert ratio[np.abs(x) > 4.0] == pytest.approx(1.0, abs=0.02)


def test_no_electrons_behind_a_sheet_of_lead():
    grid = line_grid(20, spacing_cm=0.2, start_cm=1.3)
    lead = with_box(WATER, ((-3, 3), (0.4, 1.0), (-3, 3)), 11.35)
    behind = run(lead, beam(rectangle_cm(4.0, 4.0)), grid=grid).gy_per_mu[0, :, 0]
    free = run(WATER, beam(rectangle_cm(4.0, 4.0)), grid=grid).gy_per_mu[0, :, 0]
    assert behind.max() < 0.05 * free.max()


def test_the_same_bytes_for_one_and_two_threads():
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("this process was started with one thread")
    grid = VoxelGrid(origin_cm=(-4, 0, -4), spacing_cm=(0.5, 0.5, 0.5), shape_zyx=(17, 14, 17))
    doses = []
    for threads in (1, 2):
        numba.set_num_threads(threads)
        tissue = slab_phantom([(2.0, 1.0), (3.0, 0.3), (4.0, 1.5)])
        doses.append(run(tissue, beam(rectangle_cm(3.0, 4.0)), 6.0, grid).gy_per_mu.tobytes())
    assert doses[0] == doses[1]


def test_a_model_that_was_not_commissioned_for_it_is_refused():
    old = attrs.evolve(demo().model(12.0), redefinition=None)
    with pytest.raises(OutsideModel, match="not commissioned for pencil beam redefinition"):
        run(WATER, beam(), grid=line_grid(5), model=old)


def test_cancelling_stops_between_planes():
    asked = []

    def stop():
        asked.append(1)
        if len(asked) > 8:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        run(WATER, beam(), grid=line_grid(60), check=stop)


def test_progress_rises_to_one():
    seen = []
    run(WATER, beam(rectangle_cm(3.0, 3.0)), 6.0, line_grid(40), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 10


def test_dose_to_medium_is_dose_to_water_times_the_stopping_power_ratio():
    tissue = slab_phantom([(1.0, 1.0), (2.0, 1.85), (4.0, 1.0)])
    bone = tissue.density_g_cm3 == np.float32(1.85)
    tissue = attrs.evolve(tissue, relative_stopping=np.where(bone, np.float32(1.72), tissue.relative_stopping))
    water = run(tissue, beam(), grid=line_grid(40), dose_to=DoseTo.WATER).gy_per_mu[0, :, 0]
    medium = run(tissue, beam(), grid=line_grid(40)).gy_per_mu[0, :, 0]
    depth = 0.05 + 0.1 * np.arange(40)
    assert medium == pytest.approx(water * np.where((depth > 1.0) & (depth < 3.0), 1.72 / 1.85, 1.0), rel=1e-5)


@pytest.mark.parametrize("gantry_deg", [0.0, 50.0])
def test_ragged_surfaces_and_cavities_give_neither_negative_dose_nor_spikes(gantry_deg):
    """A step in the surface, an open well, lung: the well is hot (its walls scatter in), nothing else is."""
    tissue = with_box(WATER, ((2, 12), (-1, 1.6), (-12, 12)), 0.0012)
    tissue = with_box(tissue, ((-3, -1.5), (0, 4), (-2, 2)), 0.0012)
    tissue = with_box(tissue, ((-8, 0), (4.5, 9), (-12, 12)), 0.25)
    grid = VoxelGrid(origin_cm=(-9, 0.1, -3), spacing_cm=(0.3, 0.3, 1.0), shape_zyx=(7, 40, 60))
    geometry = beam(gantry_deg=gantry_deg, isocentre_cm=(0.0, 0.0, 0.0))
    dose = run(tissue, geometry, grid=grid).gy_per_mu
    assert np.all(np.isfinite(dose))
    assert dose.min() >= 0.0
    assert dose.max() < 1.7 * 0.01
