"""Phantom checks computed by the engines, against geometry and the engine's own flat water."""

import attrs
import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.measured import CheckLine, Field, PhantomBlock, PhantomCheck
from ert.commissioning.package import read_package
from ert.commissioning.phantom_check import compare_check, phantom_tissue
from ert.domain.algorithm import Algorithm
from ert.domain.materials import material_named
from ert.dose.geometry import BeamGeometry
from ert.dose.output import rectangle_cm
from ert.dose.water import axis_depth_dose_gy_per_mu
from ert.geometry.frames import BeamFrame
from ert.settings import resources_dir

HOME = resources_dir() / "demo_machine"
FIELD = Field(applicator_id="A10", cutout="open", width_cm=10.0, height_cm=10.0, ssd_cm=105.0)


@pytest.fixture(scope="module")
def data():
    return read_beam_data(HOME / "beam_data", energies_mev=[12.0])


@pytest.fixture(scope="module")
def model():
    return read_package(HOME / "package").model(12.0)


def line(along, position_cm, start_cm, dose=None):
    position = np.asarray(position_cm, dtype=float)
    values = np.ones_like(position) if dose is None else dose
    return CheckLine(
        file="l.csv", along=along, start_cm=start_cm, position_cm=position, dose=values, sigma=0.01 * values
    )


def check(*lines, incidence_deg=0.0, blocks=(), field=FIELD):
    return PhantomCheck(
        name="c", kind="oblique", field=field, incidence_deg=incidence_deg, blocks=blocks, lines=lines
    )  # fmt: skip


def middle_cm(curve):
    """Middle between the places with half of the dose at the maximum of a crossline."""
    half = 0.5 * curve.computed_cgy_per_mu.max()
    x, y = curve.position_cm, curve.computed_cgy_per_mu
    above = np.flatnonzero(y >= half)
    low, high = above[0], above[-1]
    left = np.interp(half, y[low - 1 : low + 1], x[low - 1 : low + 1])
    right = np.interp(-half, -y[high : high + 2], x[high : high + 2])
    return 0.5 * (left + right)


@pytest.mark.parametrize("ssd_cm", [100.0, 105.0])
def test_flat_water_at_right_angles_gives_the_depth_dose_of_the_water_formula(data, model, ssd_cm):
    depths = np.arange(0.5, 5.6, 0.5)
    field = attrs.evolve(FIELD, ssd_cm=ssd_cm)
    found = compare_check(data, model, check(line("depth", depths, (0, 0, 0.5)), field=field), Algorithm.PENCIL_BEAM)
    frame = BeamFrame(isocentre_cm=(0, 0, 0), gantry_deg=0.0, collimator_deg=0.0, couch_deg=0.0,
                      patient_position="HFS", sad_cm=100.0)  # fmt: skip
    geometry = BeamGeometry(frame=frame, outline_cm=rectangle_cm(10.0, 10.0), applicator=data.machine.applicator("A10"),
                            insert_distance_cm=95.0)  # fmt: skip
    wanted = 100.0 * axis_depth_dose_gy_per_mu(model, geometry, ssd_cm=ssd_cm, depths_cm=depths)
    assert np.abs(found.curves[0].computed_cgy_per_mu - wanted).max() < 0.01 * wanted.max()


@pytest.mark.parametrize(
    ("algorithm", "incidence_deg"),
    [(Algorithm.PENCIL_BEAM, 20.0), (Algorithm.PENCIL_BEAM, -20.0), (Algorithm.PBRA, 20.0)],
)
def test_an_oblique_beam_leans_away_from_its_source(data, model, algorithm, incidence_deg):
    # The axis enters at the origin: at depth d the field's middle has moved by -d tan(angle), to first order.
    shallow, deep = (line("x", np.arange(-9.0, 9.01, 0.25), (-9.0, 0.0, d)) for d in (0.5, 2.5))
    found = compare_check(data, model, check(shallow, deep, incidence_deg=incidence_deg), algorithm)
    moved = middle_cm(found.curves[1]) - middle_cm(found.curves[0])
    assert moved == pytest.approx(-2.0 * np.tan(np.radians(incidence_deg)), abs=0.15)
    assert "off the normal" in found.phantom


def test_a_block_keeps_its_mass_and_its_place(data, model):
    bone = material_named("compact bone")
    block = PhantomBlock(material=bone, x_cm=(-1.03, 1.0), y_cm=(-5.0, 5.0), depth_cm=(1.0, 3.05))
    tissue = phantom_tissue(data, model, check(line("x", np.arange(-9.0, 9.1), (-9.0, 0.0, 2.0)), blocks=(block,)))
    plain = phantom_tissue(data, model, check(line("x", np.arange(-9.0, 9.1), (-9.0, 0.0, 2.0))))
    more = (tissue.density_g_cm3.astype(float) - plain.density_g_cm3).sum() * np.prod(tissue.grid.spacing_cm)
    assert more == pytest.approx((1.85 - 1.0) * 2.03 * 10.0 * 2.05, rel=1e-4)
    where = np.argwhere(tissue.density_g_cm3 > 1.84)
    centres = tissue.grid.origin_cm + where[:, ::-1] * np.asarray(tissue.grid.spacing_cm)
    assert np.all((centres.min(axis=0) > (-1.03, 1.0, -5.0)) & (centres.max(axis=0) < (1.0, 3.05, 5.0)))


def test_bolus_above_the_surface_moves_the_depth_dose_up_by_its_thickness(data, model):
    slab = PhantomBlock(material=material_named("water"), x_cm=(-20, 20), y_cm=(-20, 20), depth_cm=(-1.0, 0.0))
    depths = np.arange(1.0, 5.1, 0.25)
    field = attrs.evolve(FIELD, ssd_cm=101.0)
    covered = check(line("depth", depths - 1.0, (0, 0, 0.0)), blocks=(slab,), field=field)
    bare = check(line("depth", depths, (0, 0, 1.0)), field=attrs.evolve(FIELD, ssd_cm=100.0))
    doses = [
        compare_check(data, model, c, Algorithm.PENCIL_BEAM).curves[0].computed_cgy_per_mu for c in (covered, bare)
    ]
    assert np.abs(doses[0] - doses[1]).max() < 0.005 * doses[1].max()


def test_a_distance_beyond_what_was_commissioned_is_refused_and_said(data, model):
    far = check(line("depth", np.arange(0.5, 5.0, 0.5), (0, 0, 0.5)), field=attrs.evolve(FIELD, ssd_cm=130.0))
    found = compare_check(data, model, far, Algorithm.PENCIL_BEAM)
    assert found.curves == ()
    assert "130.0 cm" in found.refusal
