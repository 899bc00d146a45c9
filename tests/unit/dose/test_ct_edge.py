"""Beams where the CT ends within the patient: refused where they pass, told where they come near."""

import numpy as np
import pytest

from ert.domain.image import CtImage, DensityOverride
from ert.domain.materials import default_ct_curve, material_named
from ert.dose.engine import compute_beam_dose
from ert.dose.output import rectangle_cm
from ert.dose.tissue import build_tissue
from ert.errors import OutsideModel
from ert.geometry.grid import VoxelGrid
from tests.shapes import box, structure_set
from tests.unit.dose.beams import beam, demo

FIELD = rectangle_cm(4.0, 4.0)
LOW, HIGH = 0, 1


def water(
    x_cm=(-8.0, 8.0),
    y_cm=(-1.0, 9.0),
    z_cm=(-8.0, 8.0),
    *,
    body_x=(-6.0, 6.0),
    body_y=(0.0, 8.0),
    body_z=6.0,
    bolus=None,
):
    """A water box with an outline on every slice, in a CT of 2.5 mm voxels from face to face; air around it."""
    ends = np.array([x_cm, y_cm, z_cm])
    size = np.rint((ends[:, 1] - ends[:, 0]) / 0.25).astype(int)
    grid = VoxelGrid(origin_cm=ends[:, 0] + 0.125, spacing_cm=(0.25,) * 3, shape_zyx=size[::-1])
    x, y, z = (ends[n, 0] + 0.125 + 0.25 * np.arange(size[n]) for n in range(3))
    is_body = (np.abs(z) < body_z)[:, None, None] & ((y > body_y[0]) & (y < body_y[1]))[None, :, None]
    is_body = is_body & ((x > body_x[0]) & (x < body_x[1]))[None, None, :]
    image = CtImage(
        grid=grid, hu=np.where(is_body, 0, -1000).astype(np.int16), frame_of_reference_uid="1.2",
        study_instance_uid="1.3", series_instance_uid="1.4",
        sop_instance_uids=tuple(f"1.4.{n}" for n in range(size[2])), patient_position="HFS",
    )  # fmt: skip
    planes = np.arange(-body_z + 0.125, body_z, 0.25)
    body = box(body_x, body_y, planes, name="BODY")
    parts = [] if bolus is None else [bolus]
    overrides = [DensityOverride(structure_number=s.number, material=material_named("wax")) for s in parts]
    return build_tissue(
        image, external=body, structures=structure_set(body, *parts), curve=default_ct_curve(), overrides=overrides
    )


def warnings(tissue, **geometry):
    wanted = VoxelGrid(origin_cm=(0.0, 0.5, 0.0), spacing_cm=(0.25,) * 3, shape_zyx=(1, 4, 1))
    result = compute_beam_dose(
        tissue=tissue, geometry=beam(FIELD, **geometry), model=demo().model(12.0), dose_grid=wanted
    )
    return [w for w in result.warnings if "CT" in w]


def test_a_ct_that_holds_the_patient_says_nothing():
    tissue = water()
    assert np.isneginf(tissue.beyond_ct_cm).all()
    assert warnings(tissue) == []


def test_a_beam_into_a_surface_the_ct_cuts_off_is_refused():
    """The CT begins 1 cm below the skin: the SSD on the axis would be 1 cm long."""
    tissue = water(y_cm=(1.0, 9.0))
    assert tissue.beyond_ct_cm[LOW, 1] == pytest.approx(1.0)
    with pytest.raises(OutsideModel, match=r"up to 1\.0 cm beyond the CT where the beam passes"):
        warnings(tissue)


@pytest.mark.parametrize(("axis", "bounds"), [(0, {"x_cm": (-8.0, 1.0)}), (2, {"z_cm": (-1.0, 8.0)})])
def test_a_field_that_reaches_beyond_the_ct_is_refused(axis, bounds):
    tissue = water(**bounds)
    assert np.flatnonzero(np.isfinite(tissue.beyond_ct_cm).any(axis=0)).tolist() == [axis]
    assert tissue.beyond_ct_cm.max() == pytest.approx(5.0)
    with pytest.raises(OutsideModel, match=r"5\.0 cm beyond the CT"):
        warnings(tissue)


@pytest.mark.parametrize(("end_cm", "is_told"), [(-3.0, True), (-5.0, False)])
def test_a_ct_that_ends_beside_the_field_is_told_within_two_centimetres(end_cm, is_told):
    """The field ends at −2 cm (−2.1 cm at 5 cm depth)."""
    told = warnings(water(z_cm=(end_cm, 8.0)))
    assert len(told) == is_told
    assert all("2 cm from the field" in w for w in told)


def test_what_the_ct_cuts_off_far_from_the_beam_does_not_matter():
    """Below: the electrons of 12 MeV end 6 cm deep. Aside, of a beam from the front: an arm."""
    assert warnings(water(y_cm=(-1.0, 7.5))) == []
    assert warnings(water(x_cm=(-8.0, 5.0))) == []


def test_from_the_other_side_the_same_cut_is_in_the_way():
    with pytest.raises(OutsideModel, match="beyond the CT"):
        warnings(water(x_cm=(-8.0, 5.0)), gantry_deg=90.0, isocentre_cm=(6.0, 4.0, 0.0))


def test_an_outline_that_goes_beyond_the_ct_in_air_does_no_harm():
    tissue = water(body_y=(-3.0, 8.0), y_cm=(-4.0, 9.0))
    assert warnings(tissue, isocentre_cm=(0.0, -3.0, 0.0)) == []
    wide = box((-9.0, 9.0), (-3.0, 8.0), np.arange(-5.875, 6, 0.25), name="BODY")
    image = CtImage(
        grid=tissue.grid, hu=np.full(tissue.grid.shape_zyx, -1000, dtype=np.int16), frame_of_reference_uid="1.2",
        study_instance_uid="1.3", series_instance_uid="1.4",
        sop_instance_uids=tuple(f"1.4.{n}" for n in range(tissue.grid.shape_zyx[0])), patient_position="HFS",
    )  # fmt: skip
    empty = build_tissue(image, external=wide, structures=structure_set(wide), curve=default_ct_curve())
    assert np.isneginf(empty.beyond_ct_cm).all()


def test_a_bolus_drawn_beyond_the_ct_is_refused_for_the_beam_it_lies_in():
    """1.5 cm of wax on a patient above whom the CT has 1 cm: a third of the bolus would be lost."""
    bolus = box((-4.0, 4.0), (-1.5, 0.0), np.arange(-3.875, 4, 0.25), number=2, name="Bolus")
    tissue = water(bolus=bolus)
    assert tissue.beyond_ct_cm[LOW, 1] == pytest.approx(0.5)
    with pytest.raises(OutsideModel, match=r"0\.5 cm beyond the CT"):
        warnings(tissue)
    assert warnings(tissue, isocentre_cm=(6.0, 4.0, 0.0), gantry_deg=90.0) == []
    fitting = box((-4.0, 4.0), (-0.75, 0.0), np.arange(-3.875, 4, 0.25), number=2, name="Bolus")
    assert warnings(water(bolus=fitting)) == []


def test_a_box_that_fills_the_ct_is_told_and_computed():
    """A phantom that ends with the CT: its outline does not go beyond, so its dose is right; it might be cut off."""
    (told,) = warnings(water(y_cm=(0.0, 8.0)))
    assert "The CT ends within the patient" in told
