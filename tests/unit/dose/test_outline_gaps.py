"""A patient's outline with contours missing: tissue must not turn to air in silence."""

import numpy as np
import pytest

from ert.domain.image import CtImage
from ert.domain.materials import default_ct_curve
from ert.dose.outline_gaps import refuse_gaps
from ert.dose.tissue import build_tissue
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from tests.shapes import box, structure, structure_set

GRID = VoxelGrid(origin_cm=(-4, -4, -5), spacing_cm=(0.2, 0.2, 0.25), shape_zyx=(41, 41, 41))
Z_CM = -5 + 0.25 * np.arange(41)
WATER = np.zeros(GRID.shape_zyx, dtype=np.int16)


def outline(planes_cm):
    return box((-3.1, 3.1), (-3.1, 3.1), planes_cm, name="BODY")


def without(low_cm, high_cm):
    return outline([z for z in Z_CM if not low_cm <= z <= high_cm])


def test_a_gap_in_tissue_is_refused_with_its_place_and_volume():
    """Planes at −0.75 and 0.75 cm, each with half a spacing: slices −0.5 … 0.5 are in neither, 5 of 31 × 31 voxels."""
    with pytest.raises(Refused, match=r"between -0\.75 and 0\.75 cm .* 48 cm³ of tissue"):
        refuse_gaps(without(-0.7, 0.7), WATER, GRID)


def test_the_dose_is_refused_for_it():
    image = CtImage(
        grid=GRID, hu=WATER, frame_of_reference_uid="1.2", study_instance_uid="1.3", series_instance_uid="1.4",
        sop_instance_uids=tuple(f"1.4.{n}" for n in range(41)), patient_position="HFS",
    )  # fmt: skip
    body = without(-0.7, 0.7)
    with pytest.raises(Refused, match="no contours between"):
        build_tissue(image, external=body, structures=structure_set(body), curve=default_ct_curve())


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_evenly_sparse_contours_are_no_gap(step):
    refuse_gaps(outline(Z_CM[::step]), WATER, GRID)


def test_a_gap_that_contours_bridge_is_none():
    """Neighbours up to 3.5 spacings apart stand for all that lies between them."""
    refuse_gaps(without(-0.3, 0.1), WATER, GRID)


def test_dense_contours_amid_sparse_ones_leave_tissue_out():
    planes = np.concatenate([Z_CM[::6][Z_CM[::6] < -2], Z_CM[np.abs(Z_CM) <= 2], Z_CM[::-6][Z_CM[::-6] > 2]])
    with pytest.raises(Refused) as refused:
        refuse_gaps(outline(np.sort(planes)), WATER, GRID)
    assert refused.value.hint == "Contour the outline on every slice."


def test_two_objects_in_air_are_two_parts():
    hu = WATER.copy()
    hu[np.abs(Z_CM) < 2.1] = -1000
    refuse_gaps(without(-2.0, 2.0), hu, GRID)


def test_only_what_lies_within_both_outlines_counts():
    """A couch beside the patient, or tissue on one side only, is no sign of missing contours."""
    left = box((-3.1, -0.9), (-3.1, 3.1), Z_CM[Z_CM < -0.7], name="BODY")
    right = box((0.9, 3.1), (-3.1, 3.1), Z_CM[Z_CM > 0.7], name="BODY")
    refuse_gaps(structure([*left.contours, *right.contours], name="BODY"), WATER, GRID)
