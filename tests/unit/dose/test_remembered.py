"""What is kept for the next dose gives the bytes that are computed from nothing."""

import itertools

import attrs
import numpy as np
import pytest

from ert.dose.engine import compute_beam_dose
from ert.dose.kernels.convert import row_ends
from ert.dose.output import rectangle_cm
from ert.dose.remembered import Remembered, TracedFan, TracedFans
from ert.errors import Cancelled
from ert.geometry.grid import VoxelGrid
from tests.unit.dose.beams import beam, demo, slab_phantom

ASIDE = tuple((x + 3.0, y - 0.5) for x, y in rectangle_cm(3.0, 5.0))
GRID = VoxelGrid(origin_cm=(-9.0, 0.25, -9.0), spacing_cm=(0.5, 0.5, 0.5), shape_zyx=(37, 24, 37))


def phantom():
    return slab_phantom([(1.5, 1.0), (1.0, 1.6), (2.0, 0.3), (4.0, 1.0)], voxel_cm=0.5)


def dose(tissue, outline, energy=12.0, **more):
    given = {"geometry": beam(outline, **more), "model": demo().model(energy)}
    return compute_beam_dose(tissue=tissue, dose_grid=GRID, **given)


def test_a_dragged_cutout_has_the_bytes_of_a_new_one():
    """Growing, shrinking and cutting off a corner turn rays into pencils and back; the lattice stays."""
    outlines = [
        rectangle_cm(8.0, 8.0),
        ((-4.0, -4.0), (4.0, -4.0), (1.2, 2.3), (-4.0, 4.0)),
        ((-4.0, -4.0), (4.0, -4.0), (3.9, 0.4), (-2.1, 4.0)),
        rectangle_cm(8.0, 8.0),
        rectangle_cm(5.5, 7.0),
    ]
    dragged = phantom()
    for outline in outlines:
        warm, cold = dose(dragged, outline), dose(phantom(), outline)
        assert warm.gy_per_mu.tobytes() == cold.gy_per_mu.tobytes()
        assert warm.given_dose_gy_per_mu == cold.given_dose_gy_per_mu


def test_what_a_dose_depends_on_is_told_apart():
    """Energy, gantry and isocentre each name another fan; turning back finds the one kept."""
    kept = phantom()
    places = [{}, {"gantry_deg": 10.0}, {"isocentre_cm": (1.0, 0.0, 0.0)}]
    for energy, more in [*itertools.product((6.0, 12.0), places), (6.0, {}), (12.0, places[2])]:
        warm, cold = dose(kept, None, energy, **more), dose(phantom(), None, energy, **more)
        assert warm.gy_per_mu.tobytes() == cold.gy_per_mu.tobytes()


def test_what_is_kept_of_a_model_serves_only_what_it_was_made_for():
    """SSD, opening, applicator, source and another model of the same energy; a twin of the model knows nothing yet."""
    model = demo().model(12.0)
    other = attrs.evolve(model, source=attrs.evolve(model.source, off_axis=(0.02, -0.01), edge_gy_cm_per_mu=0.003))
    openings = [(None, "A10"), (rectangle_cm(4.0, 6.0), "A10"), (rectangle_cm(4.0, 6.0), "A15"), (ASIDE, "A10")]
    tissue = phantom()
    given = itertools.product((model, other), openings, (0.0, 3.0), (45.0, 46.0))
    for of, (outline, applicator), lower_cm, insert_cm in [*given, (model, openings[0], 0.0, 45.0)]:
        geometry = beam(outline, applicator=applicator, isocentre_cm=(0.0, -lower_cm, 0.0))
        geometry = attrs.evolve(geometry, insert_distance_cm=geometry.insert_distance_cm - 46.0 + insert_cm)
        warm, cold = (
            compute_beam_dose(tissue=where, geometry=geometry, model=with_, dose_grid=GRID)
            for where, with_ in ((tissue, of), (phantom(), attrs.evolve(of)))
        )
        assert warm.gy_per_mu.tobytes() == cold.gy_per_mu.tobytes()
        assert (warm.given_dose_gy_per_mu, warm.warnings) == (cold.given_dose_gy_per_mu, cold.warnings)


def test_the_end_of_a_patient_is_found_for_each_direction_and_patient():
    wide, narrow = phantom(), slab_phantom([(1.5, 1.0)], voxel_cm=0.5)
    for direction in np.array([(1.0, 0.0, 0.0), (0.2, -0.7, 0.1), (-0.3, 0.5, 0.8), (0.2, -0.7, 0.1)]):
        for tissue in (wide, narrow):
            z, y, x = np.nonzero(tissue.density_g_cm3 >= 0.05)
            least = (np.stack([x, y, z], axis=1) @ direction).min()
            assert tissue.least_along(direction) == pytest.approx(least, abs=1e-12)


def test_a_cancelled_dose_leaves_nothing_wrong_behind():
    tissue = phantom()
    turns = iter(range(2))

    def check():
        if next(turns, None) is None:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        compute_beam_dose(tissue=tissue, geometry=beam(), model=demo().model(6.0), dose_grid=GRID, check=check)
    assert dose(tissue, None, 6.0).gy_per_mu.tobytes() == dose(phantom(), None, 6.0).gy_per_mu.tobytes()


def test_a_fan_belongs_to_who_took_it_and_only_three_are_kept():
    fans = TracedFans()
    empty = np.empty((0, 0, 0), dtype=np.float32)
    for n in range(4):
        fans.keep(TracedFan(key=bytes([n]), depth=empty, variance=empty, ends=empty, dose=empty))
    assert fans.take(bytes([0])) is None
    taken = fans.take(bytes([2]))
    assert taken is not None
    assert fans.take(bytes([2])) is None
    fans.keep(taken)
    assert fans.take(bytes([2])) is taken


def test_values_are_found_by_identity_and_rest_and_the_oldest_goes():
    kept = Remembered(2)
    owner, twin = [1.0], [1.0]
    made = [kept.get(who, rest, object) for who, rest in ((owner, 1), (twin, 1), (owner, 1))]
    assert made[0] is made[2]
    assert made[0] is not made[1]
    kept.get(owner, 2, object)  # the twin's was not used for longest
    assert kept.get(owner, 1, object) is made[0]
    assert kept.get(twin, 1, object) is not made[1]


def test_rows_end_at_the_first_and_last_voxel_that_is_no_air():
    density = np.full((1, 4, 6), 0.0012, dtype=np.float32)
    density[0, 1, 2:4] = 1.0
    stopping = density.copy()
    stopping[0, 2, 5] = 0.06
    inside = np.zeros(density.shape, dtype=bool)
    nowhere = np.empty((0, 0, 0), dtype=bool)
    assert row_ends(density, stopping, nowhere).tolist() == [[[-1, 2, 5, -1]], [[-1, 3, 5, -1]]]
    inside[0, 3, 1:5] = True
    assert row_ends(density, stopping, inside).tolist() == [[[-1, 2, 5, 1]], [[-1, 3, 5, 4]]]


@pytest.mark.parametrize("spacing_cm", [(0.5, 0.5, 0.5), (0.2, 0.61, 0.4), (0.61, 0.1, 0.37)])
@pytest.mark.parametrize(
    "turned",
    [
        {}, {"collimator_deg": 20.0}, {"gantry_deg": 0.001}, {"gantry_deg": 0.02},
        {"gantry_deg": 20.0}, {"isocentre_cm": (0.0, 0.13, 0.0)},
    ],
)  # fmt: skip
def test_no_dose_is_read_from_a_plane_of_the_fan_that_was_not_computed(turned, spacing_cm):
    """Every number of the fan's dose is spoilt before it is used again: what is not written anew would be read."""
    sizes = tuple(int(length / step) for length, step in zip((18.0, 12.0, 18.0), reversed(spacing_cm), strict=True))
    grid = VoxelGrid(origin_cm=(-9.0, 0.25, -9.0), spacing_cm=spacing_cm, shape_zyx=sizes)
    tissue = phantom()
    for energy in (6.0, 12.0):
        asked = {"geometry": beam(None, **turned), "model": demo().model(energy), "dose_grid": grid}
        fresh = compute_beam_dose(tissue=tissue, **asked).gy_per_mu.tobytes()
        for fan in tissue.fans._fans:
            fan.dose[:] = np.nan
        assert compute_beam_dose(tissue=tissue, **asked).gy_per_mu.tobytes() == fresh
        assert np.isfinite(np.frombuffer(fresh, dtype=np.float32)).all()
