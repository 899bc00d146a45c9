"""Made-up records for storage tests: every kind of record, floats that only survive if no bit is lost."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import random
import shutil
import tempfile
from pathlib import Path

import attrs
import numpy as np

from ert.domain.approval import Approval, ApprovalEnd, Confirmed, approved_beams, inputs_digest, structures_digest
from ert.domain.beam import Beam
from ert.domain.device import Aperture, ApertureSource
from ert.domain.dose import DoseResult
from ert.domain.identity import new_id
from ert.domain.image import CtCurve, CtCurvePoint, CtImage, DensityOverride, Material
from ert.domain.monte_carlo_model import DoseStatistics
from ert.domain.patient import Course, Patient, Sex
from ert.domain.plan import Goal, Normalisation, Plan, Prescription
from ert.domain.record import DicomFile, PlanStatus
from ert.domain.structure import Contour, PointKind, PointOfInterest, Structure, StructureRole, StructureSet
from ert.geometry.grid import VoxelGrid
from ert.storage import backup, migrate, schema
from ert.storage.assembly import SiteOptions
from ert.storage.passwords import KdfParameters
from ert.storage.records import Records
from ert.storage.site import Site
from ert.storage.sites import Sites
from ert.storage.store_file import FILE_NAME, SANDBOX
from ert.storage.unlock import unlock_with_password
from tests.integration.storage.postgres import PostgresServer

LOGIN, PASSWORD = "Dr. Marie Curie", "Radium-226!"
FAST = KdfParameters(memory_kib=8 * 1, iterations=1, lanes=1)
SHAPE = (7, 12, 15)
CANARY = "Zzyzxquist"
LONG_TEXT_BYTES = 80_000  # packed; a cell takes 65,536


def sites(*, anchors: Path | None = None, drafts: Path | None = None, busy_timeout_ms: int = 30_000) -> Sites:
    """Sandbox sites whose passwords cost nothing."""
    options = SiteOptions(anchor_folder=anchors, draft_folder=drafts, busy_timeout_ms=busy_timeout_ms)
    return Sites(options, kind=SANDBOX, kdf=FAST)


class OnServer:
    """Where sites are made while a test runs: on this server, or in their folders (conftest.py)."""

    server: PostgresServer | None = None


def make_site(root: Path, *, anchors: Path | None = None) -> str:
    """Create a site and return its recovery code."""
    login = None if OnServer.server is None else OnServer.server.new_database()
    pending = sites(anchors=anchors).prepare(
        root, site_name="Clinic", admin_name=LOGIN, password=PASSWORD, server=login
    )
    code = pending.recovery_code
    pending.confirm(code)
    return code


def open_site(root: Path, *, anchors: Path | None = None, drafts: Path | None = None) -> Site:
    """Open it with the administrator's password."""
    return sites(anchors=anchors, drafts=drafts).open(root, user_name=LOGIN, password=PASSWORD)


def as_first_version(patch) -> None:
    """Have the program make sites as its first version did: with the tables of migration 0001, and no locks."""
    for place in (schema, migrate.schema):
        patch.setattr(place, "SCHEMA_VERSION", 1)
        patch.setattr(place, "MIGRATION_HEAD", "0001")
    later = {"ct_curve", "material", "machine_release", "exclusive_lock", "site_setting", "check_tolerance"}
    later |= {"identity_provider", "identity_link", "workstation", "emergency_envelope", "approval"}
    tables = tuple(t for t in schema.RECORD_TABLES if t.name.removesuffix("_revision") not in later)
    patch.setattr(schema, "RECORD_TABLES", tables)
    patch.setattr(Records, "expect_files", lambda *_: None)
    for name in ("plans", "machines"):
        patch.setattr(f"ert.storage.{name}.fence", lambda *_: None)
    patch.setattr(backup, "_keep_files", lambda _: None)


_TEMPLATES: dict[str, Path] = {}


def copied_site(root: Path) -> Path:
    """A copy of one site made once a run; on a server, of its database too."""
    server = OnServer.server
    name = "" if server is None else str(server.folder)
    if name not in _TEMPLATES:
        _TEMPLATES[name] = Path(tempfile.mkdtemp(prefix="ert-site-")) / "site"
        make_site(_TEMPLATES[name])
        if server is not None:
            server.keep()
    return copied(_TEMPLATES[name], root)


def copied(source: Path, target: Path) -> Path:
    """A copy of a site nobody has open; on a server, of its database too."""
    shutil.copytree(source, target)
    separate(target)
    return target


def separate(root: Path) -> None:
    """Give a copied folder a copy of its database, if that lies on the server."""
    if OnServer.server is None:
        return
    unlocked = unlock_with_password(root, login=LOGIN, password=PASSWORD)
    place = unlocked.store.database
    copy = OnServer.server.new_database(template=place.database).address.database
    store = unlocked.store.on_server(attrs.evolve(place, database=copy))
    (root / FILE_NAME).write_bytes(store.to_json(unlocked.vault))


def patient(number: str = "4711") -> Patient:
    """A patient with every field used."""
    return Patient(
        medical_record_number=number, issuer="Clinic", family_name=CANARY, given_name="Änne", middle_name="B.",
        prefix="Dr", suffix="jr", birth_date=dt.date(1948, 2, 29), sex=Sex.FEMALE,
    )  # fmt: skip


def image(seed: int = 1) -> CtImage:
    """A small CT with full-range noise, on an anisotropic grid whose spacing has no short binary form."""
    hu = np.random.default_rng(seed).integers(-32768, 32768, SHAPE, dtype=np.int16)
    grid = VoxelGrid(origin_cm=(-0.1, 1 / 3, 1e-17), spacing_cm=(0.1, 0.0976562, 0.3), shape_zyx=SHAPE)
    return CtImage(
        grid=grid, hu=hu, frame_of_reference_uid="1.2.3", study_instance_uid="1.2.4",
        series_instance_uid=f"1.2.5.{seed}", sop_instance_uids=tuple(f"1.2.6.{seed}.{k}" for k in range(SHAPE[0])),
        patient_position="HFS", description="Planning CT", acquisition_date="20260101",
    )  # fmt: skip


def structures(seed: int = 1) -> StructureSet:
    """A structure set with holes, an empty structure, points, and one without contours."""
    rng = np.random.default_rng(seed)
    contours = tuple(Contour(points_cm=rng.normal(size=(n, 3))) for n in (3, 40, 7))
    return StructureSet(
        label="Plan structures",
        frame_of_reference_uid="1.2.3",
        sop_instance_uid=f"1.2.7.{seed}",
        structures=(
            Structure(number=1, name="BODY", role=StructureRole.EXTERNAL, contours=contours),
            Structure(number=2, name="PTV äöü", role=StructureRole.PTV, colour=(1, 2, 3), contours=contours[:1]),
            Structure(number=5, name="empty", role=StructureRole.ORGAN),
            Structure(number=7, name="marker", role=StructureRole.OTHER, points=((0.1, 0.2, 0.3),)),
        ),
    )


def course_of(who: Patient, ct: CtImage, contours: StructureSet, *, name: str = "Course 1") -> Course:
    """A course that ties an import together."""
    return Course(patient_id=who.id, name=name, image_id=ct.id, structure_set_id=contours.id)


def ct_files(ct: CtImage) -> list[DicomFile]:
    """Stand-ins for original files: bytes that must come back unchanged."""
    rng = np.random.default_rng(99)
    return [DicomFile(sop_instance_uid=uid, content=rng.bytes(500 + k)) for k, uid in enumerate(ct.sop_instance_uids)]


def import_one(site: Site, *, seed: int = 1, number: str = "4711") -> Course:
    """Import one made-up patient and return the course."""
    who, ct, contours = patient(number), image(seed), structures(seed)
    course = course_of(who, ct, contours)
    site.patients.add_import(patient=who, course=course, image=ct, structures=contours, ct_files=ct_files(ct))
    return course


def plan_of(course: Course, *, outline_points: int = 8) -> Plan:
    """A plan with every kind of field used."""
    angle = np.linspace(0, 2 * np.pi, outline_points, endpoint=False)
    point = PointOfInterest(name="ref", position_cm=(0.1, 0.2, 0.30000000000000004), kind=PointKind.REFERENCE)
    beam = Beam(
        number=1, name="e- left", machine_name="LINAC 1", energy_mev=12, applicator_id="A10", model_digest="ab" * 32,
        isocentre_cm=(1 / 3, -2 / 7, 1e-300), gantry_deg=359.9999999999, couch_deg=0.1, ssd_cm=100.00000000000001,
        aperture=Aperture(outline_cm=np.column_stack((3 * np.cos(angle), np.sin(angle))), margin_cm=0.7,
                          source=ApertureSource.TARGET),
        target_number=2, weight=2 / 3, mu=123.4, reasons=(("energy_mev", "lowest whose R90 covers the target"),),
    )  # fmt: skip
    rows = ((-1000, 0.001), (0, 1.0), (3071, 2.83))
    curve = CtCurve(
        name="default",
        points=tuple(CtCurvePoint(hu=h, density_g_cm3=d, relative_stopping=d, relative_scattering=d) for h, d in rows),
    )
    water = Material(name="water", density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0)
    return Plan(
        course_id=course.id, name="Left chest wall", image_id=course.image_id,
        structure_set_id=course.structure_set_id, external_number=1,
        prescription=Prescription(target_number=2, dose_gy=50.4, fractions=28, normalisation=Normalisation.POINT,
                                  point_id=point.id),
        ct_curve=curve, overrides=(DensityOverride(structure_number=2, material=water),), points=(point,),
        goals=(Goal(structure_number=2, metric="D95%", comparison=">=", value=95.0, unit="%"),), beams=(beam,),
    )  # fmt: skip


def dose(request_digest: str = "cd" * 32, seed: int = 5) -> DoseResult:
    """A dose of noise."""
    values = np.random.default_rng(seed).random(SHAPE, dtype=np.float32)
    grid = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(0.25, 0.25, 0.25), shape_zyx=SHAPE)
    return DoseResult(
        request_digest=request_digest, grid=grid, gy_per_mu=values, engine="pencil beam 1", dose_to="MEDIUM",
        ssd_cm=100.1, given_dose_gy_per_mu=0.0101, seconds=0.25, warnings=("a warning",),
    )  # fmt: skip


def noisy_dose(request_digest: str = "ef" * 32, seed: int = 6) -> DoseResult:
    """A Monte Carlo dose with its standard errors."""
    errors = np.random.default_rng(seed + 1).random(SHAPE, dtype=np.float32)
    statistics = DoseStatistics(
        relative_sigma=errors, uncertainty_pct=1.9876543210123457, histories=123_456_789, seed=2**60 - 1, batches=32
    )
    return attrs.evolve(dose(request_digest, seed), engine="monte-carlo 7, 1.99 %", statistics=statistics)


def same_statistics(found: DoseStatistics | None, kept: DoseStatistics | None) -> bool:
    """Whether two doses say the same of their noise, to the last bit."""
    if found is None or kept is None:
        return found is kept
    names = ("uncertainty_pct", "histories", "seed", "batches")
    return found.relative_sigma.tobytes() == kept.relative_sigma.tobytes() and all(
        getattr(found, name) == getattr(kept, name) for name in names
    )


@functools.cache
def _text_without_pattern() -> str:
    """A text that stays longer than a cell of the database when it is packed."""
    return base64.b64encode(random.Random(1).randbytes(LONG_TEXT_BYTES)).decode("ascii")


def lengthened(plan: Plan) -> Plan:
    """The plan, too long for a cell of the database: by one long text, because many points take long to read."""
    return attrs.evolve(plan, beams=(attrs.evolve(plan.beams[0], reasons=(("mu", _text_without_pattern()),)),))


def renamed(plan: Plan, name: str) -> Plan:
    """The plan under another name: the smallest edit."""
    return attrs.evolve(plan, name=name)


def plan_to_approve(site: Site, number: str = "4711") -> tuple[Plan, list[DoseResult]]:
    """A plan of two beams, one of them a Monte Carlo's, saved as ready for review in revision 1."""
    course = import_one(site, number=number)
    plan = plan_of(course)
    second = attrs.evolve(plan.beams[0], id=new_id(), number=2, name="e- boost", mu=50.0)
    plan = attrs.evolve(plan, beams=(plan.beams[0], second))
    doses = doses_to_approve()
    site.plans.save(plan, base_revision=0, doses=doses, status=PlanStatus.READY)
    return plan, doses


def doses_to_approve() -> list[DoseResult]:
    """Doses of the plan of `plan_to_approve`, the same each time."""
    return [dose(), noisy_dose()]


def approval_of(site: Site, plan: Plan, doses: list[DoseResult], *, revision: int = 1) -> Approval:
    """What is to be signed of a plan."""
    ct, contours = site.patients.image(plan.image_id), site.patients.structure_set(plan.structure_set_id)
    beams, total = approved_beams(plan, tuple(doses), ("version 1",) * len(doses))
    return Approval(
        plan_id=plan.id, course_id=plan.course_id, patient_id=site.patients.course(plan.course_id).patient_id,
        revision=revision + 1, plan_digest=plan.digest,
        inputs_digest=inputs_digest(plan, tuple(d.request_digest for d in doses), image=ct, structures=contours),
        image_digest=ct.digest, structures_digest=structures_digest(contours), ct_curve_digest=plan.ct_curve.digest,
        beams=beams, plan_dose_digest=total, engine="pencil beam 1", software="0", second_check="green",
        checklist=(Confirmed(code="identity", sentence="It is this patient."),), warnings=(),
    )  # fmt: skip


def approve(
    site: Site, plan: Plan, doses: list[DoseResult], *, revision: int = 1, password: str = PASSWORD
) -> Approval:
    """Sign a plan."""
    unsigned = approval_of(site, plan, doses, revision=revision)
    return site.approvals.approve(plan, unsigned, doses, base_revision=revision, password=password)


def end_of(approval: Approval, status: PlanStatus = PlanStatus.WITHDRAWN) -> ApprovalEnd:
    """What is to be signed when an approval ends."""
    return ApprovalEnd(
        approval_id=approval.id, plan_id=approval.plan_id, revision=approval.revision + 1, status=status,
        reason="The target was drawn anew.",
    )  # fmt: skip
