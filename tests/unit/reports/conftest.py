"""A synthetic plan: a water cylinder, a target, one beam, an analytic dose."""

from __future__ import annotations

import datetime as dt

import attrs
import numpy as np
import pytest

from ert.domain.beam import Beam
from ert.domain.device import Aperture, ApertureSource
from ert.domain.image import CtCurve, CtCurvePoint, CtImage
from ert.domain.machine import Applicator, Machine
from ert.domain.patient import Patient
from ert.domain.plan import Plan, Prescription
from ert.domain.record import Finding, Severity
from ert.domain.structure import Contour, Structure, StructureRole, StructureSet
from ert.geometry.grid import VoxelGrid
from ert.reports.plan_content import BeamLine, GoalRow, MetricRow, PlanReport


@attrs.frozen(kw_only=True)
class Curve:
    name: str
    colour: tuple[int, int, int]
    volume_cc: float
    dose_gy: np.ndarray
    volume_pct: np.ndarray


def circle(radius_x_cm, radius_y_cm, z_cm, centre=(0.0, 0.0), points=72):
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    x, y = centre[0] + radius_x_cm * np.cos(angle), centre[1] + radius_y_cm * np.sin(angle)
    return Contour(points_cm=np.column_stack([x, y, np.full(points, z_cm)]))


def build_report(**changes):
    grid = VoxelGrid(origin_cm=(-12.75, -9.75, -6.0), spacing_cm=(0.25, 0.25, 0.5), shape_zyx=(25, 79, 103))
    k, j, i = np.indices(grid.shape_zyx)
    p = grid.point_cm(np.stack([i, j, k], axis=-1))
    inside = (p[..., 0] / 11) ** 2 + (p[..., 1] / 8) ** 2 <= 1
    hu = np.where(inside, 0, -1000).astype(np.int16)
    zs = np.arange(25) * 0.5 - 6.0
    target_zs = [z for z in zs if abs(z) <= 2.5]
    structures = StructureSet(
        label="S",
        frame_of_reference_uid="1.2",
        sop_instance_uid="1.2.3",
        structures=(
            Structure(
                number=1,
                name="BODY",
                role=StructureRole.EXTERNAL,
                colour=(0, 255, 0),
                contours=tuple(circle(11, 8, z) for z in zs),
            ),
            Structure(
                number=2,
                name="PTV & <chest>",
                role=StructureRole.PTV,
                colour=(255, 0, 0),
                contours=tuple(circle(3, 1, z, (0, -6)) for z in target_zs),
            ),
        ),
    )
    image = CtImage(
        grid=grid,
        hu=hu,
        frame_of_reference_uid="1.2",
        study_instance_uid="1.3",
        series_instance_uid="1.4",
        sop_instance_uids=tuple(f"1.5.{n}" for n in range(25)),
        patient_position="HFS",
        description="synthetic",
    )
    machine = Machine(
        name="DEMO",
        sad_cm=100,
        insert_distance_cm=95,
        insert_thickness_cm=1.5,
        insert_material="cerrobend",
        applicators=(Applicator(id="A10", opening_x_cm=10, opening_y_cm=10),),
        energies_mev=(12.0,),
    )
    beam = Beam(
        number=1,
        name="AP",
        machine_name="DEMO",
        energy_mev=12,
        applicator_id="A10",
        model_digest="0" * 64,
        isocentre_cm=(0, -8, 0),
        gantry_deg=0,
        ssd_cm=100,
        aperture=Aperture(
            outline_cm=[(-4, -3), (4, -3), (4, 2), (1, 3.5), (-4, 3)], source=ApertureSource.TARGET, margin_cm=1.0
        ),
        target_number=2,
        mu=231.0,
    )
    curve = CtCurve(
        name="default",
        points=(
            CtCurvePoint(hu=-1000, density_g_cm3=0.0012, relative_stopping=0.0011, relative_scattering=0.0011),
            CtCurvePoint(hu=0, density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0),
        ),
    )
    plan = Plan(
        course_id="c",
        name="Chest wall",
        image_id=image.id,
        structure_set_id=structures.id,
        external_number=1,
        prescription=Prescription(target_number=2, dose_gy=50.0, fractions=25),
        ct_curve=curve,
        beams=(beam,),
    )
    depth = p[..., 1] + 8
    fall = 1 / (1 + np.exp((depth - 4.8) * 3))
    edge = 1 / (1 + np.exp((np.abs(p[..., 0]) - 4) * 4)) / (1 + np.exp((np.abs(p[..., 2]) - 3.2) * 4))
    dose = np.where(inside, 55 * fall * edge, 0).astype(np.float32)
    dose_gy = np.linspace(0, 56, 100)
    values = {
        "patient": Patient(
            medical_record_number="DEMO-1", family_name="Müller", given_name="Łucja", birth_date=dt.date(1950, 2, 3)
        ),
        "plan": plan,
        "revision": 3,
        "status": "DRAFT",
        "saved_by": "admin",
        "saved_at": dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC),
        "printed_at": dt.datetime(2026, 1, 2, 3, 5, tzinfo=dt.UTC),
        "image": image,
        "structures": structures,
        "machines": {"DEMO": machine},
        "dose_grid": grid,
        "dose_gy": dose,
        "beams": (BeamLine(beam=beam, mu=231.0, ssd_cm=100.0, given_dose_gy=54.3, warnings=("Surface is oblique.",)),),
        "dvhs": (
            Curve(
                name="PTV & <chest>",
                colour=(255, 0, 0),
                volume_cc=47.1,
                dose_gy=dose_gy,
                volume_pct=100 / (1 + np.exp((dose_gy - 51) * 1.5)),
            ),
        ),
        "metrics": (
            MetricRow(structure="PTV & <chest>", metric="D95%", value="46.20 Gy"),
            MetricRow(structure="BODY", metric="Mean", value="3.10 Gy"),
        ),
        "goals": (
            GoalRow(goal="PTV D95% >= 47.5 Gy", value="46.20 Gy", state="VIOLATED"),
            GoalRow(goal="BODY Max <= 60 Gy", value="54.90 Gy", state="MET"),
        ),
        "findings": (Finding(severity=Severity.WARNING, code="X", sentence="The cutout is small."),),
        "engine": "pencil-beam 1",
        "digests": (("plan", plan.digest), ("image", image.digest)),
        "software": "ERT 0.1.0",
        "is_demo": True,
    }
    return PlanReport(**{**values, **changes})


@pytest.fixture(scope="session")
def make_report():
    return build_report


@pytest.fixture(scope="session")
def report():
    return build_report()
