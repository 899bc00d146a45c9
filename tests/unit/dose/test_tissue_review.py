"""Volumes, overlaps and winners of overrides against boxes whose volumes are known; agreement with the tissue grid."""

from __future__ import annotations

import numpy as np
import pytest

from ert.domain.image import DensityOverride
from ert.domain.materials import AIR, default_ct_curve, material_named
from ert.domain.tissue import metal_sentence
from ert.dose.tissue import build_tissue
from ert.dose.tissue_review import review_tissue
from ert.errors import Cancelled, Refused
from tests.shapes import box, structure_set
from tests.unit.dose.test_tissue import EXTERNAL, GRID, PLANES, at, image

# boxes on voxel faces: x and y faces at odd tenths (voxels of 0.2 cm), every plane, 11 × 0.4 cm
BOLUS = box((-1.1, 1.1), (-3.9, -2.1), PLANES, number=2, name="Bolus")  # 1.0 cm of 1.8 outside EXTERNAL at y = -3.1
PLUG = box((0.1, 2.1), (-2.9, -1.1), PLANES, number=3, name="Plug")
HEIGHT_CM = 11 * 0.4


def override(number, name="wax"):
    return DensityOverride(structure_number=number, material=material_named(name))


def review(*overrides, hu=0, parts=(BOLUS, PLUG), **kwargs):
    return review_tissue(
        image(hu), external=EXTERNAL, structures=structure_set(EXTERNAL, *parts), overrides=overrides, **kwargs
    )


def test_volumes_overlap_and_winner_of_boxes():
    found = review(override(2), override(3, "lead"))
    bolus, plug = found.volumes
    assert bolus.volume_cc == pytest.approx(2.2 * 1.8 * HEIGHT_CM)
    assert bolus.outside_cc == pytest.approx(2.2 * 0.8 * HEIGHT_CM)
    assert plug.volume_cc == pytest.approx(2.0 * 1.8 * HEIGHT_CM)
    assert plug.outside_cc == 0
    (overlap,) = found.overlaps
    shared = 1.0 * 0.8 * HEIGHT_CM
    assert (overlap.loser_number, overlap.winner_number) == (2, 3)
    assert overlap.volume_cc == pytest.approx(shared)
    x, y, z = overlap.point_cm
    assert 0.1 < x < 1.1
    assert -2.9 < y < -2.1
    assert abs(z) < 0.3
    assert bolus.effective_cc == pytest.approx(bolus.volume_cc - shared)
    assert plug.effective_cc == pytest.approx(plug.volume_cc)


def test_the_order_decides_the_winner_and_the_tissue_agrees():
    for numbers in ((2, 3), (3, 2)):
        overrides = [override(n, {2: "wax", 3: "lead"}[n]) for n in numbers]
        (overlap,) = review(*overrides).overlaps
        assert overlap.winner_number == numbers[-1]
        tissue = build_tissue(
            image(0), external=EXTERNAL, structures=structure_set(EXTERNAL, BOLUS, PLUG), curve=default_ct_curve(),
            overrides=overrides,
        )  # fmt: skip
        expected = {2: 0.92, 3: 11.35}[numbers[-1]]
        assert at(tissue, tissue.density_g_cm3, overlap.point_cm) == pytest.approx(expected)


def test_what_is_covered_altogether_has_no_effect():
    inner = box((-0.5, 0.5), (-2.9, -2.5), PLANES, number=4, name="Inner")
    found = review(override(4, "lead"), override(2), parts=(BOLUS, inner))
    assert found.volume(4).effective_cc == 0
    assert found.volume(2).effective_cc == pytest.approx(2.2 * 1.8 * HEIGHT_CM)


def test_three_in_one_place_are_three_pairs():
    third = box((0.1, 1.1), (-2.9, -2.1), PLANES, number=4, name="Third")
    found = review(override(2), override(3), override(4), parts=(BOLUS, PLUG, third))
    assert {(o.loser_number, o.winner_number) for o in found.overlaps} == {(2, 3), (2, 4), (3, 4)}


def test_neighbours_that_touch_do_not_overlap():
    beside = box((1.1, 2.1), (-3.9, -2.1), PLANES, number=4, name="Beside")
    assert review(override(2), override(4), parts=(BOLUS, beside)).overlaps == ()


def test_metal_without_a_material_says_the_same_as_the_dose():
    hu = np.zeros(GRID.shape_zyx)
    hu[5, 18:23, 18:23] = 3000
    found = review(hu=hu)
    assert found.metal.volume_cc == pytest.approx(25 * 0.016)
    assert found.metal.point_cm == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    tissue = build_tissue(image(hu), external=EXTERNAL, structures=structure_set(EXTERNAL), curve=default_ct_curve())
    assert tissue.warnings == (metal_sentence(found.metal.volume_cc),)
    cover = box((-1.1, 1.1), (-1.1, 1.1), PLANES, number=9, name="Hip")
    assert review(override(9, "titanium"), hu=hu, parts=(cover,)).metal is None


def test_a_couch_outside_external_is_air_unless_it_has_a_material():
    """A couch of carbon fibre and foam under the patient, seen by the CT, outside EXTERNAL (y from 3.1 to 3.9 cm)."""
    couch = box((-3.9, 3.9), (3.3, 3.9), PLANES, number=5, name="Couch")
    hu = np.full(GRID.shape_zyx, -1000)
    hu[:, 5:36, 5:36] = 0  # the patient
    hu[:, 36:40, :] = 250  # the couch
    arguments = {"external": EXTERNAL, "structures": structure_set(EXTERNAL, couch), "curve": default_ct_curve()}
    without = build_tissue(image(hu), **arguments)
    for values, air in (
        (without.density_g_cm3, AIR.density_g_cm3),
        (without.relative_stopping, AIR.relative_stopping),
        (without.relative_scattering, AIR.relative_scattering),
    ):
        assert at(without, values, (0, 3.4, 0)) == pytest.approx(air)
        assert at(without, values, (0, 0, 0)) == pytest.approx(1.0)
    assert not without.is_patient[tuple(np.rint(without.grid.index_xyz((0, 3.4, 0))).astype(int)[::-1])]
    given = build_tissue(image(hu), overrides=[override(5, "PMMA")], **arguments)
    assert at(given, given.density_g_cm3, (0, 3.6, 0)) == pytest.approx(1.19)
    assert given.is_patient[tuple(np.rint(given.grid.index_xyz((0, 3.6, 0))).astype(int)[::-1])]
    volume = review_tissue(
        image(hu), external=EXTERNAL, structures=arguments["structures"], overrides=[override(5, "PMMA")]
    ).volume(5)
    assert volume.outside_cc == volume.volume_cc > 0


def test_it_can_be_stopped_and_refuses_what_the_dose_refuses():
    def stop():
        raise Cancelled("Stopped on request.")

    with pytest.raises(Cancelled):
        review(override(2), check=stop)
    far = box((50, 60), (50, 60), PLANES, name="BODY")
    with pytest.raises(Refused, match="does not lie in the image"):
        review_tissue(image(0), external=far, structures=structure_set(far), overrides=())
