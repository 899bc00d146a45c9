"""Projections against perspective worked out by hand."""

import numpy as np
import pytest

from ert.errors import Refused
from ert.geometry.frames import BeamFrame
from ert.geometry.shadow import project_structure
from tests.shapes import box, circle_xy, polygon, sphere, structure


def frame(gantry=0.0, couch=0.0, isocentre=(0.0, 0.0, 0.0), collimator=0.0):
    return BeamFrame(
        isocentre_cm=isocentre,
        gantry_deg=gantry,
        collimator_deg=collimator,
        couch_deg=couch,
        patient_position="HFS",
        sad_cm=100.0,
    )


@pytest.mark.parametrize(("gantry", "couch"), [(0, 0), (35, 0), (90, 0), (20, 40), (90, 90)])
def test_sphere_is_a_disc(gantry, couch):
    beam = frame(gantry, couch)
    shadow = project_structure(sphere(4.0, spacing=0.1), beam)
    radius = 100 * 4 / np.sqrt(100**2 - 16)
    assert shadow.area_cm2 == pytest.approx(np.pi * radius**2, rel=0.015)
    assert shadow.bounds_cm == pytest.approx((-radius, radius, -radius, radius), abs=0.08)
    assert len(shadow.outlines()) == 1


def test_box_at_a_distance_is_magnified_at_its_near_face():
    part = box((-2, 3), (-10, 4), np.arange(-1.85, 2, 0.3))  # z from -2 to 2.2; the near face is 90 cm from the source
    shadow = project_structure(part, frame())
    near = 100 / 90
    z_high = -1.85 + 13 * 0.3 - 0.15
    assert shadow.bounds_cm == pytest.approx((-2 * near, 3 * near, -2.0 * near, z_high * near), abs=0.02)
    assert shadow.area_cm2 == pytest.approx(5 * (z_high + 2.0) * near**2, rel=0.01)
    turned = project_structure(part, frame(collimator=90))
    assert turned.bounds_cm == pytest.approx((-2.0 * near, z_high * near, -3 * near, 2 * near), abs=0.02)


def test_hole_along_the_beam_is_open_and_across_it_is_closed():
    tube = structure([polygon(circle_xy(r), z) for z in np.arange(-1, 1.01, 0.25) for r in (3.0, 2.0)])
    along = project_structure(tube, frame(gantry=90, couch=270))  # looks along z
    across = project_structure(tube, frame())
    assert len(along.outlines()) == 2
    # the far end of the hole and the near end of the rim bound what is seen
    assert along.area_cm2 == pytest.approx(np.pi * (3**2 / 0.98875**2 - 2**2 / 1.01125**2), rel=0.02)
    assert len(across.outlines()) == 1
    assert across.area_cm2 == pytest.approx(6 * 2.25, rel=0.03)


def test_structure_at_the_source_is_refused():
    with pytest.raises(Refused, match="source"):
        project_structure(box((-1, 1), (-120, -90), [0.0, 0.3]), frame())
