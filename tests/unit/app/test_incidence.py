"""Oblique beams are told against what their model was verified at; straight ones and beams without an angle are not."""

from types import SimpleNamespace

import attrs
import numpy as np
import pytest

from ert.app.incidence import Incidence, incidence, incidence_findings, surfaces_met
from ert.commissioning.package import read_package
from ert.domain.beam_model import MeasuredRange
from ert.domain.image import DensityOverride
from ert.domain.materials import material_named
from ert.domain.structure import StructureRole
from ert.errors import Refused
from ert.geometry.frames import BeamFrame
from ert.geometry.surface import obliquity_deg
from ert.settings import resources_dir
from tests.shapes import polygon, rotation, structure, structure_set

MODEL = read_package(resources_dir() / "demo_machine" / "package").model(12.0)


def verified(deg):
    measured = None if deg is None else MeasuredRange(depth_min_cm=0.1, depth_max_cm=9.9, incidence_max_deg=deg)
    return attrs.evolve(MODEL, validity=attrs.evolve(MODEL.validity, measured=measured))


@pytest.mark.parametrize(
    ("angle_deg", "verified_deg", "severity"),
    [
        (0.0, 0.0, None), (5.0, 0.0, None), (5.1, 0.0, "note"), (30.0, 0.0, "note"), (30.1, 0.0, "warning"),
        (20.0, 15.0, None), (20.1, 15.0, "note"), (30.4, 30.0, None), (31.0, 30.0, "warning"),
        (45.0, 45.0, None), (46.0, 45.0, "warning"),
        (29.9, None, None), (30.0, None, None), (30.1, None, "warning"),
    ],
)  # fmt: skip
def test_what_is_said_depends_on_the_angle_and_on_what_was_verified(angle_deg, verified_deg, severity):
    found = incidence(angle_deg, verified(verified_deg))
    assert found.severity == severity
    assert bool(found.sentence) is (severity is not None)


def test_both_angles_are_named_and_what_to_do():
    assert Incidence(angle_deg=34.2, verified_deg=0.0).sentence == (
        "Incidence 34°, verified to 0°: the axis meets the surface at that angle from its normal; beyond 30° depth "
        "dose and output change: verify by measurement."
    )
    assert Incidence(angle_deg=18.0, verified_deg=0.0).sentence.startswith("Incidence 18°, verified to 0°: ")
    assert "verified" not in Incidence(angle_deg=41.6, verified_deg=None).sentence


def test_a_beam_that_misses_has_no_incidence():
    assert incidence(None, MODEL) is None


def test_each_oblique_beam_has_one_finding_and_a_refused_angle_none():
    def of_beam(beam):
        if beam.name == "lost":
            raise Refused("The external contour is empty.")
        return incidence({"straight": 3.0, "steep": 55.0, "slight": 12.0, "beside": None}[beam.name], verified(0.0))

    beams = tuple(SimpleNamespace(name=name) for name in ("straight", "lost", "steep", "slight", "beside"))
    steep, slight = incidence_findings(beams, of_beam)
    assert (steep.code, steep.subject, steep.severity) == ("oblique", "steep", "warning")
    assert (slight.code, slight.subject, slight.severity) == ("oblique", "slight", "note")
    assert "55°" in steep.sentence


def tilted(tilt_deg, top_cm, *, number, role):
    """A thick plate whose upper face is a plane through (0, top, 0), turned about the patient's long axis."""
    turned = rotation(0, tilt_deg)
    corners = [(-30.0, 0.0), (30.0, 0.0), (30.0, 8.0), (-30.0, 8.0)]
    planes = np.arange(-6.0, 6.1, 0.5)
    flat = [np.column_stack([corners, np.zeros(4)]) @ turned + (0.0, top_cm, 0.0) for _ in planes]
    contours = [polygon(points[:, :2], z) for points, z in zip(flat, planes, strict=True)]
    return structure(contours, number=number, role=role, name=role.value)


def down(gantry_deg=0.0):
    return BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=gantry_deg, collimator_deg=0.0, couch_deg=0.0,
        patient_position="HFS", sad_cm=100.0,
    )  # fmt: skip


@pytest.mark.parametrize("tilt_deg", [0.0, 12.0, 30.0, 45.0])
def test_a_tilted_plane_is_met_at_its_tilt(tilt_deg):
    body = tilted(tilt_deg, 0.0, number=1, role=StructureRole.EXTERNAL)
    assert obliquity_deg(down(), body) == pytest.approx(tilt_deg, abs=0.05)
    assert sorted(obliquity_deg(down(g), body) for g in (30.0, 330.0)) == pytest.approx(
        sorted((abs(tilt_deg - 30.0), tilt_deg + 30.0)), abs=0.05
    )


@pytest.mark.parametrize("material", ["water", None])
def test_a_bolus_with_a_material_is_the_surface_that_is_met(material):
    """A wedge of bolus at 30 degrees on flat skin; without a material it is not there."""
    body = tilted(0.0, 0.0, number=1, role=StructureRole.EXTERNAL)
    bolus = tilted(30.0, -2.0, number=2, role=StructureRole.BOLUS)
    given = () if material is None else (DensityOverride(structure_number=2, material=material_named(material)),)
    met = surfaces_met(body, given, structure_set(body, bolus))
    assert obliquity_deg(down(), *met) == pytest.approx(0.0 if material is None else 30.0, abs=0.05)


def test_an_override_within_the_patient_and_other_roles_are_no_surface():
    body = tilted(0.0, 0.0, number=1, role=StructureRole.EXTERNAL)
    inner = tilted(30.0, 3.0, number=2, role=StructureRole.BOLUS)
    organ = tilted(30.0, -2.0, number=3, role=StructureRole.ORGAN)
    water = material_named("water")
    overrides = tuple(DensityOverride(structure_number=n, material=water) for n in (2, 3))
    met = surfaces_met(body, overrides, structure_set(body, inner, organ))
    assert obliquity_deg(down(), *met) == pytest.approx(0.0, abs=0.05)
