"""SSD, normals and obliquity on spheres and cylinders, where they are known."""

import numpy as np
import pytest

from ert.errors import Refused
from ert.geometry.contours import contour_stack
from ert.geometry.frames import BeamFrame
from ert.geometry.surface import entry_distance_cm, obliquity_deg, ssd_cm, surface_normal
from tests.shapes import box, cylinder, rotation, sphere, structure


def frame(gantry=0.0, couch=0.0, isocentre=(0.0, 0.0, 0.0)):
    return BeamFrame(
        isocentre_cm=isocentre,
        gantry_deg=gantry,
        collimator_deg=0,
        couch_deg=couch,
        patient_position="HFS",
        sad_cm=100.0,
    )


BALL = contour_stack(sphere(10.0, spacing=0.3, name="BODY"))


@pytest.mark.parametrize(("gantry", "couch"), [(0, 0), (40, 0), (90, 0), (200, 0), (30, 60), (90, 45), (300, 20)])
def test_ssd_and_obliquity_of_a_sphere(gantry, couch):
    beam = frame(gantry, couch, isocentre=(1.0, 2.0, 3.0))
    source, along = beam.source_cm, beam.direction
    half = source @ along
    expected = -half - np.sqrt(half**2 - source @ source + 100)
    assert ssd_cm(BALL, beam) == pytest.approx(expected, abs=0.02)
    normal = (source + expected * along) / 10
    assert surface_normal(BALL, source + expected * along) == pytest.approx(normal, abs=0.01)
    assert obliquity_deg(beam, BALL) == pytest.approx(np.degrees(np.arccos(-normal @ along)), abs=0.5)


def test_slope_along_the_patient_is_not_a_staircase():
    cone = [cylinder(2.0 + 0.5 * n, [0.5 * n]).contours[0] for n in range(9)]  # 45° slope, planes 0.5 cm apart
    stack = contour_stack(structure(cone))
    for z in np.linspace(0.1, 3.9, 14):
        beam = frame(isocentre=(0.0, 0.0, float(z)))
        assert ssd_cm(stack, beam) == pytest.approx(100 - (2.0 + z), abs=0.02)
        if 0.7 < z < 3.3:  # the normal is averaged over 0.5 cm
            assert obliquity_deg(beam, stack) == pytest.approx(45.0, abs=1.0)


def test_flat_surface_and_the_end_cap():
    slab = contour_stack(box((-10, 10), (0, 8), np.arange(-9.75, 10, 0.5)))
    assert ssd_cm(slab, frame(isocentre=(0.0, 0.0, 0.0))) == pytest.approx(100.0, abs=1e-4)
    assert ssd_cm(slab, frame(isocentre=(2.0, 5.0, 1.0))) == pytest.approx(95.0, abs=1e-4)
    assert ssd_cm(slab, frame(gantry=30)) == pytest.approx(100.0, abs=1e-4)
    assert obliquity_deg(frame(gantry=30), slab) == pytest.approx(30.0, abs=1e-3)
    vertex = frame(gantry=90, couch=270, isocentre=(0.0, 4.0, 0.0))  # from the head; the last slab ends at z = 10
    assert ssd_cm(slab, vertex) == pytest.approx(90.0, abs=1e-4)
    assert obliquity_deg(vertex, slab) == pytest.approx(0.0, abs=1e-3)


def test_oblique_planes_give_the_same_ssd():
    axes = rotation(20, 35)
    tilted = contour_stack(sphere(10.0, spacing=0.3, axes=axes))
    assert ssd_cm(tilted, frame(25, 10)) == pytest.approx(90.0, abs=0.02)


def test_axis_that_misses_has_no_ssd():
    assert ssd_cm(BALL, frame(isocentre=(0.0, 0.0, 30.0))) is None
    assert obliquity_deg(frame(isocentre=(11.0, 0.0, 0.0)), BALL) is None
    assert entry_distance_cm(BALL, (0, -50, 0), (0, -1, 0)) is None


def test_source_inside_is_refused():
    with pytest.raises(Refused, match="source lies inside 'BODY'"):
        entry_distance_cm(BALL, (0, 0, 0), (0, 1, 0))


def test_thin_skin_fold_is_not_stepped_over():
    thin = contour_stack(box((-5, 5), (-0.06, 0.06), np.arange(-3, 3.1, 0.3)))
    assert entry_distance_cm(thin, (0.02, -73.321, 0.1), (0, 2, 0)) == pytest.approx(73.261, abs=1e-4)


def test_normal_in_the_middle_of_a_plateau_is_refused():
    with pytest.raises(Refused, match="no direction"):
        surface_normal(BALL, (0, 0, 0))
