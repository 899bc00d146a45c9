"""A synthetic open plan with the surface of ``PlanWorkspace``, for views that need no store, no engine, no threads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.analysis.dvh import compute_dvh
from ert.analysis.metrics import evaluate_metric
from ert.app.changes import Changes
from ert.app.dose_state import BeamDose, DoseState, DoseStatus
from ert.app.edit_session import EditSession
from ert.app.tissue_library import TissueLibrary, directly
from ert.domain.beam import Beam
from ert.domain.device import Aperture, ApertureSource
from ert.domain.dvh import Dvh
from ert.domain.image import CtCurve, CtCurvePoint, CtImage
from ert.domain.machine import Applicator, Machine
from ert.domain.patient import Course, Patient
from ert.domain.plan import Plan, Prescription
from ert.domain.record import Finding, Severity
from ert.domain.structure import Contour, Structure, StructureRole, StructureSet
from ert.errors import InvalidPlan
from ert.geometry.frames import position_matrix
from ert.geometry.grid import IDENTITY_AXES, VoxelGrid
from ert.geometry.mesh import surface_mesh
from tests.people import CHIEF

BODY, TARGET, LUNG = 1, 2, 3


def acquired_axes(position: str, *, turn_deg: float = 0.0) -> tuple:
    """Axes of a CT acquired with the table below: columns to the room's right, rows down, slices out of both."""
    support = position_matrix(position)
    rows = np.stack([support[0], -support[2], np.cross(support[0], -support[2])])
    if turn_deg:
        c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
        rows = rows @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T
    return tuple(map(tuple, rows))


def make_image(axes=IDENTITY_AXES, position="HFS", shape=(40, 64, 80), spacing=(0.4, 0.4, 0.5)) -> CtImage:
    """An elliptical body with one lung, centred on (0, 0, 0)."""
    nz, ny, nx = shape
    half = (np.array(shape[::-1]) - 1) / 2 * spacing
    origin = -half @ np.asarray(axes)
    grid = VoxelGrid(origin_cm=tuple(map(float, origin)), spacing_cm=spacing, shape_zyx=shape, axes=axes)
    x = (np.arange(nx) * spacing[0] - half[0])[None, None, :]
    y = (np.arange(ny) * spacing[1] - half[1])[None, :, None]
    z = (np.arange(nz) * spacing[2] - half[2])[:, None, None]
    hu = np.full(shape, -1000, dtype=np.int16)
    body = ((x / 14) ** 2 + (y / 10) ** 2) * np.ones_like(z) <= 1
    hu[body] = 20
    hu[body & ((x / 13.4) ** 2 + (y / 9.4) ** 2 > 1)] = -90
    lung = ((x - 5) / 4.5) ** 2 + ((y - 1) / 5.5) ** 2 + (z / 9) ** 2 <= 1
    hu[lung] = -750
    rib = (np.abs(((x - 5) / 5.3) ** 2 + ((y - 1) / 6.3) ** 2 - 1) < 0.13) & (np.mod(z, 2.4) < 1.0) & body
    hu[rib] = 650
    noise = np.random.default_rng(3).normal(0, 12, shape)
    return CtImage(
        grid=grid,
        hu=(hu + noise).astype(np.int16),
        frame_of_reference_uid="1.2.3",
        study_instance_uid="1.2.4",
        series_instance_uid="1.2.5",
        sop_instance_uids=tuple(f"1.2.6.{k}" for k in range(nz)),
        patient_position=position,
        description="Synthetic chest",
    )


def _ellipse(centre, radii, count=90) -> NDArray[np.float64]:
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([centre[0] + radii[0] * np.cos(t), centre[1] + radii[1] * np.sin(t)])


def make_structures(image: CtImage) -> StructureSet:
    """Body, target at the front of it, lung; drawn on the image's planes."""
    grid = image.grid
    nz = grid.shape_zyx[0]
    half = (np.array(grid.shape_zyx[::-1]) - 1) / 2

    def contours(outline_of: Callable[[float], NDArray[np.float64] | None]) -> tuple[Contour, ...]:
        made = []
        for k in range(nz):
            outline = outline_of((k - half[2]) * grid.spacing_cm[2])
            if outline is not None:
                index = np.column_stack(
                    [outline[:, 0] / grid.spacing_cm[0] + half[0], outline[:, 1] / grid.spacing_cm[1] + half[1],
                     np.full(len(outline), k)]
                )  # fmt: skip
                made.append(Contour(points_cm=grid.point_cm(index)))
        return tuple(made)

    def lung(z):
        part = 1 - (z / 9) ** 2
        return _ellipse((5, 1), (4.5 * part**0.5, 5.5 * part**0.5)) if part > 0.02 else None

    def target(z):
        return _ellipse((4.5, -7.3), (3.2, 1.1)) if abs(z) <= 4.3 else None

    structures = (
        Structure(number=BODY, name="BODY", role=StructureRole.EXTERNAL, colour=(80, 220, 120),
                  contours=contours(lambda z: _ellipse((0, 0), (14, 10)))),
        Structure(number=TARGET, name="PTV_Chestwall", role=StructureRole.PTV, colour=(255, 70, 70),
                  contours=contours(target)),
        Structure(number=LUNG, name="Lung_L", role=StructureRole.ORGAN, colour=(90, 170, 255), contours=contours(lung)),
        Structure(number=4, name="Heart", role=StructureRole.ORGAN, colour=(255, 150, 60)),
    )  # fmt: skip
    return StructureSet(label="RTS", frame_of_reference_uid="1.2.3", sop_instance_uid="1.2.9", structures=structures)


def make_machine() -> Machine:
    """Five applicators, four energies."""
    return Machine(
        name="DEMO-Linac", sad_cm=100.0, insert_distance_cm=95.0, insert_thickness_cm=1.5, insert_material="cerrobend",
        applicators=tuple(
            Applicator(id=f"{s}x{s}", opening_x_cm=float(s), opening_y_cm=float(s)) for s in (6, 10, 15, 20, 25)
        ),
        energies_mev=(6.0, 9.0, 12.0, 16.0),
    )  # fmt: skip


class FakeModels:
    """One machine."""

    def __init__(self) -> None:
        machine = make_machine()
        models = {e: SimpleNamespace(energy_mev=e, digest=f"model-{e:g}", is_demo=True) for e in machine.energies_mev}
        self.packages = (
            SimpleNamespace(machine=machine, models=tuple(models.values()), is_demo=True, model=models.__getitem__),
        )

    def package(self, name):
        for package in self.packages:
            if package.machine.name == name:
                return package
        raise InvalidPlan(f"This site has no machine '{name}'.")

    def of_beam(self, beam):
        package = self.package(beam.machine_name)
        return package.machine, package.model(beam.energy_mev)


def make_beam(number: int = 1, name: str = "LAO") -> Beam:
    """A beam on the front of the chest."""
    return Beam(
        number=number, name=name, machine_name="DEMO-Linac", energy_mev=9.0, applicator_id="10x10",
        model_digest="model-9", isocentre_cm=(4.5, -9.4, 0.0), gantry_deg=18.0, ssd_cm=100.0, target_number=TARGET,
        aperture=Aperture(outline_cm=_ellipse((0, 0), (3.9, 4.6), 40), source=ApertureSource.TARGET, margin_cm=0.7),
        mu=212.4,
        reasons=(("gantry_deg", "Perpendicular to the skin over PTV_Chestwall: 18.3°, rounded to 18°."),
                 ("energy_mev",
                  "9 MeV is the lowest energy whose R90 (2.7 cm) reaches the deepest target point (2.5 cm)."),
                 ("applicator_id", "10x10 is the smallest that holds the aperture.")),
    )  # fmt: skip


def make_plan(structures: StructureSet, beams=()) -> Plan:
    """A plan of 50 Gy in 25 fractions."""
    return Plan(
        course_id="course", name="Chest wall L", image_id="image", structure_set_id=structures.id, external_number=BODY,
        prescription=Prescription(target_number=TARGET, dose_gy=50.0, fractions=25), beams=beams,
        ct_curve=CtCurve(name="default", points=(
            CtCurvePoint(hu=-1000, density_g_cm3=0.0, relative_stopping=0.0, relative_scattering=0.0),
            CtCurvePoint(hu=0, density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0),
            CtCurvePoint(hu=1600, density_g_cm3=1.96, relative_stopping=1.7, relative_scattering=2.0))),
    )  # fmt: skip


def make_dose(image: CtImage) -> tuple[NDArray[np.float32], VoxelGrid]:
    """A smooth electron-like dose under the front of the chest, on its own grid along the image's axes."""
    spacing = 0.25
    counts = np.array([70, 56, 60])
    half_image = (np.array(image.grid.shape_zyx[::-1]) - 1) / 2 * image.grid.spacing_cm
    first_cm = np.array([-5.0, -10.4, -7.5])
    origin = image.grid.point_cm((first_cm + half_image) / image.grid.spacing_cm)
    grid = VoxelGrid(origin_cm=origin, spacing_cm=(spacing,) * 3, shape_zyx=counts[::-1], axes=image.grid.axes)
    x, y, z = (first_cm[a] + spacing * np.arange(counts[a]) for a in range(3))
    x, y, z = x[None, None, :], y[None, :, None], z[:, None, None]
    depth = y + 10 * np.sqrt(np.maximum(1 - (np.minimum(np.abs(x), 14) / 14) ** 2, 0))
    depth_part = np.where(depth < 0, 0, (0.82 + 0.18 * np.minimum(depth / 1.8, 1)) / (1 + np.exp((depth - 3.4) / 0.35)))
    side = 1 / (1 + np.exp((np.abs(x - 4.5) - 4.2) / 0.3)) / (1 + np.exp((np.abs(z) - 4.9) / 0.3))
    gy = 54.5 * depth_part * side + np.where(depth > 0, 0.6, 0) * side
    gy = np.broadcast_to(gy, tuple(counts[::-1])).astype(np.float32)
    gy.flags.writeable = False
    return gy, grid


class FakeWorkspace:
    """The surface of an open plan that screens use."""

    def __init__(self, image: CtImage | None = None, *, with_dose: bool = True, with_beam: bool = True) -> None:
        self.image = image or make_image()
        self.structures = make_structures(self.image)
        self.patient = Patient(
            medical_record_number="ERT-0042",
            family_name="DEMO",
            given_name="Chest Wall",
            birth_date=dt.date(1961, 4, 9),
        )
        self.course = Course(
            patient_id=self.patient.id, name="C1", image_id="image", structure_set_id=self.structures.id
        )
        self.models = FakeModels()
        self._session = EditSession(make_plan(self.structures, (make_beam(),) if with_beam else ()))
        self.revision = 12
        self.is_dirty = False
        self.saved_text = "Saved r12 14:03:22"
        self.is_read_only, self.why_read_only, self.approval = False, "", None
        self.sketched: list = []
        self.applied: list[str] = []
        self._listeners: list[Callable[[Changes], None]] = []
        self.dose = DoseState()
        if with_dose:
            gy, grid = make_dose(self.image)
            k, j, i = np.unravel_index(int(gy.argmax()), gy.shape)
            self.dose = DoseState(
                status=DoseStatus.CURRENT, fraction=1.0, grid=grid, plan_gy=gy, engine="pencil-beam 1",
                max_gy=float(gy.max()), max_point_cm=tuple(grid.point_cm((i, j, k))),
                beams=(BeamDose(beam_number=1, gy=gy, mu=212.4, ssd_cm=100.0, given_dose_gy=52.1, warnings=(),
                                engine="pencil-beam 1"),),
            )  # fmt: skip
        self.tools = FakeTools(self.structures, self.image)
        drawn = [x for x in self.structures.structures if not x.is_empty] if with_dose else []
        self.dvhs = tuple(compute_dvh(x, self.dose.plan_gy, self.dose.grid) for x in drawn)
        self.evaluation = FakeEvaluation(self.dvhs)
        self.dose_calls: list[str] = []
        self.store = SimpleNamespace(account=CHIEF)
        nothing = SimpleNamespace(history=lambda: ())
        self.library = TissueLibrary(SimpleNamespace(ct_curves=nothing, materials=nothing, account=CHIEF), directly)
        self.tissue_reviews = SimpleNamespace(review=None, failure="")
        self.findings = (
            Finding(severity=Severity.WARNING, code="ct-curve", sentence="The default CT curve is used."),
            Finding(severity=Severity.NOTE, code="accuracy", sentence="Dose by pencil-beam 1."),
        )

    plan = property(lambda self: self._session.plan)
    shown_dvhs = property(lambda self: self.dvhs)
    undo_label = property(lambda self: self._session.undo_label)
    redo_label = property(lambda self: self._session.redo_label)

    def subscribe(self, listener):
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, changes: Changes) -> None:
        for listener in list(self._listeners):
            listener(changes)

    def set_dose(self, **fields) -> None:
        self.dose = attrs.evolve(self.dose, **fields)
        self.publish(Changes(dose=True))

    def apply(self, label, edit, *, stroke=None) -> None:
        self._session.apply(label, edit, stroke=stroke)
        self.applied.append(label)
        self.publish(Changes(plan=True))

    def sketch(self, edit) -> None:
        self.sketched.append(edit(self.plan))

    def end_sketch(self) -> None:
        self.sketched.clear()

    def save(self) -> None:
        self.applied.append("save")

    def compute_dose(self) -> None:
        self.dose_calls.append("compute")

    def shown_metric(self, structure_number, metric):
        return self.evaluation.metric(structure_number, metric, prescription_gy=self.plan.prescription.dose_gy)

    def compute_final_dose(self) -> None:
        self.dose_calls.append("final")

    def cancel_dose(self) -> None:
        self.dose_calls.append("cancel")

    def undo(self) -> None:
        self._session.undo()
        self.publish(Changes(plan=True))

    def redo(self) -> None:
        self._session.redo()
        self.publish(Changes(plan=True))


class FakeTools:
    """Geometry that beams need, without fitting."""

    def __init__(self, structures: StructureSet, image: CtImage) -> None:
        self._structures, self._image = structures, image

    def project_structure(self, beam, number):
        frame = beam.frame(patient_position=self._image.patient_position, sad_cm=100.0)
        points = np.concatenate([c.points_cm for c in self._structures.structure(number).contours])
        flat = frame.project(points)
        low, high = flat.min(axis=0), flat.max(axis=0)
        return (_ellipse((low + high) / 2, (high - low) / 2),)

    def fit_aperture(self, beam, number, margin_cm):
        outline = self.project_structure(beam, number)[0]
        centre = outline.mean(axis=0)
        reach = np.linalg.norm(outline - centre, axis=1, keepdims=True)
        grown = centre + (outline - centre) * (1 + margin_cm / reach)
        aperture = Aperture(outline_cm=grown, source=ApertureSource.TARGET, margin_cm=margin_cm)
        return SimpleNamespace(aperture=aperture, notes=())

    def rectangle(self, beam, width_cm, height_cm, centre_cm):
        x, y = width_cm / 2, height_cm / 2
        outline = np.array([(-x, -y), (x, -y), (x, y), (-x, y)]) + centre_cm
        return SimpleNamespace(aperture=Aperture(outline_cm=outline, source=ApertureSource.RECTANGLE), notes=())

    def ellipse(self, beam, width_cm, height_cm, centre_cm):
        outline = _ellipse(centre_cm, (width_cm / 2, height_cm / 2))
        return SimpleNamespace(aperture=Aperture(outline_cm=outline, source=ApertureSource.ELLIPSE), notes=())

    def with_energy(self, beam, energy_mev):
        return attrs.evolve(beam, energy_mev=energy_mev, model_digest=f"model-{energy_mev:g}")

    def propose(self, plan, target_number):
        return make_beam(name="Proposed")

    def surface(self, number):
        mesh = surface_mesh(self._structures.structure(number))
        return mesh.vertices_cm, mesh.triangles


class FakeEvaluation:
    """Metrics of the fake histograms."""

    def __init__(self, dvhs: tuple[Dvh, ...]) -> None:
        self.dvhs = dvhs
        self.bands: dict = {}

    def metric(self, structure_number, metric, *, prescription_gy):
        for dvh in self.dvhs:
            if dvh.structure_number == structure_number:
                return evaluate_metric(metric, dvh, prescription_gy=prescription_gy)
        return None


class FakeSession:
    """An opened site with nothing in it."""

    site_name, user_name, has_demo_machine = "Department of Radiotherapy", "m.curie", True
    account = CHIEF

    def __init__(self, jobs=None) -> None:
        self.jobs = jobs
