"""Every field of what a plan is made of is dosimetric or not, and the request's digest follows exactly the former.

A field that nobody classified fails here: a dose named by an incomplete digest would be shown for a plan it does not
belong to.
"""

import enum
import typing
from types import UnionType

import attrs
import numpy as np
import pytest

from ert.app.dose_service import DoseService, Models, monte_carlo_settings
from ert.commissioning.package import read_package
from ert.domain.acceptance import EnergyAcceptance
from ert.domain.algorithm import Algorithm
from ert.domain.beam import Beam
from ert.domain.beam_model import (
    BeamModel,
    DepthDoseSummary,
    FittedParameter,
    MachinePackage,
    MeasuredRange,
    OutputCorrection,
    PhotonModel,
    RedefinitionModel,
    SourceModel,
    Validity,
)
from ert.domain.device import Aperture, ApertureSource
from ert.domain.dose import DoseRequest
from ert.domain.identity import digest_of
from ert.domain.image import CtCurve, CtCurvePoint, CtImage, DensityOverride, Material
from ert.domain.machine import Applicator, Machine
from ert.domain.machine_configuration import MachineConfiguration
from ert.domain.monte_carlo_model import MonteCarloModel
from ert.domain.plan import DoseGridSpec, Goal, Normalisation, Plan, Prescription
from ert.domain.structure import Contour, PointOfInterest, Structure, StructureRole, StructureSet
from ert.dose.output import rectangle_cm
from ert.geometry.grid import VoxelGrid
from ert.settings import resources_dir
from tests.shapes import box

# For each class the fields that reach the dose of one beam for one monitor unit, and those that do not.
CLASSES = {
    Plan: (
        "external_number ct_curve overrides beams algorithm dose_to dose_grid uncertainty_pct",
        "id course_id name image_id structure_set_id prescription points goals description",
    ),
    Prescription: ("", "target_number dose_gy fractions normalisation percent point_id"),
    Goal: ("", "structure_number metric comparison value unit"),
    PointOfInterest: ("", "id name position_cm kind"),
    DoseGridSpec: ("spacing_cm margin_cm", ""),
    Beam: (
        "energy_mev applicator_id model_digest isocentre_cm gantry_deg collimator_deg couch_deg aperture algorithm",
        "id number name machine_name machine_digest ssd_cm target_number weight mu colour reasons",  # ssd_cm is traced
    ),
    Aperture: ("outline_cm", "source margin_cm material thickness_cm"),  # edges are sharp, whatever the insert
    CtCurve: ("points", "name"),
    CtCurvePoint: ("hu density_g_cm3 relative_stopping relative_scattering", ""),
    DensityOverride: ("structure_number material", ""),
    Material: ("density_g_cm3 relative_stopping relative_scattering", "name"),
    CtImage: (
        "grid hu patient_position",
        "id frame_of_reference_uid study_instance_uid series_instance_uid sop_instance_uids description manufacturer"
        " acquisition_date",
    ),
    VoxelGrid: ("origin_cm spacing_cm shape_zyx axes", ""),
    StructureSet: (
        "structures",
        "id label frame_of_reference_uid sop_instance_uid series_instance_uid",
    ),
    Structure: ("contours", "number name role colour points"),
    Contour: ("points_cm", ""),
    MachinePackage: ("machine models", "origin is_demo output_tables acceptance"),
    Machine: (
        "sad_cm insert_distance_cm applicators",
        "name insert_thickness_cm insert_material energies_mev configuration",
    ),
    Applicator: ("id opening_x_cm opening_y_cm", "jaw_x_cm jaw_y_cm outer_margin_cm"),
}
# Of these every field is in the model's digest, also what does not reach the dose: a model is one thing.
WHOLE = {
    BeamModel,
    SourceModel,
    PhotonModel,
    OutputCorrection,
    RedefinitionModel,
    MonteCarloModel,
    DepthDoseSummary,
    Validity,
    MeasuredRange,
    FittedParameter,
}
# Measured outputs serve the monitor unit check; a configuration says what the machine can do, not what it delivers.
NO_DOSE = {"OutputTables", "MachineConfiguration", "EnergyAcceptance"}


def parts(kind):
    """The classes in a type: those of its arguments for tuples and unions."""
    if isinstance(kind, UnionType) or typing.get_origin(kind) is not None:
        return [part for argument in typing.get_args(kind) for part in parts(argument)]
    return [kind]


def reachable():
    found, waiting = set(), [Plan, CtImage, StructureSet, MachinePackage]
    while waiting:
        cls = waiting.pop()
        if cls in found or cls.__name__ in NO_DOSE:
            continue
        found.add(cls)
        hints = typing.get_type_hints(cls)
        waiting += [p for f in attrs.fields(cls) for p in parts(hints[f.name]) if attrs.has(p)]
    return found


def test_every_class_a_dose_is_made_from_is_classified():
    assert reachable() == set(CLASSES) | WHOLE


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_every_field_is_classified(cls):
    dosimetric, other = (set(names.split()) for names in CLASSES[cls])
    advice = "say in CLASSES whether the field reaches the dose; if it does, it must be in DoseRequest"
    assert dosimetric | other == {f.name for f in attrs.fields(cls)}, advice
    assert not dosimetric & other


# ---- one case in which everything counts ---------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Case:
    """A plan and what it is made on."""

    plan: Plan
    image: CtImage
    structures: StructureSet
    package: MachinePackage

    def digest(self, grid: VoxelGrid | None = None) -> str:
        """Digest of the only beam's request, as the dose service asks for it; on a given grid if there is one."""
        service = DoseService(
            image=self.image,
            structures=self.structures,
            models=Models([self.package]),
            kept=lambda _d: None,
            cache=None,
        )
        (item,) = service.requests(self.plan)
        return item.request.digest if grid is None else attrs.evolve(item.request, grid=grid).digest


@pytest.fixture(scope="module")
def case():
    package = read_package(resources_dir() / "demo_machine" / "package")
    package = attrs.evolve(package, machine=attrs.evolve(package.machine, configuration=MachineConfiguration()))
    beam = Beam(
        number=1, name="AP", machine_name=package.machine.name, energy_mev=12.0, applicator_id="A10",
        model_digest=package.model(12.0).digest, isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=10.0, collimator_deg=5.0,
        couch_deg=3.0, ssd_cm=100.0, target_number=2, mu=100.0,
        aperture=Aperture(outline_cm=rectangle_cm(4.0, 4.0), source=ApertureSource.EDITED),
    )  # fmt: skip
    water = CtCurvePoint(hu=0, density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0)
    material = Material(name="water", density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0)
    point = PointOfInterest(name="iso", position_cm=(0.0, 0.0, 0.0))
    plan = Plan(
        course_id="c", name="P", image_id="i", structure_set_id="s", external_number=1, beams=(beam,),
        ct_curve=CtCurve(name="w", points=(water, attrs.evolve(water, hu=100, density_g_cm3=1.1))),
        overrides=(DensityOverride(structure_number=2, material=material),), points=(point,),
        prescription=Prescription(target_number=2, dose_gy=50.0, fractions=25, normalisation=Normalisation.POINT,
                                  point_id=point.id),
        goals=(Goal(structure_number=2, metric="D95%", comparison=">=", value=95.0, unit="%"),),
    )  # fmt: skip
    shape = (30, 40, 40)
    grid = VoxelGrid(origin_cm=(-20.0, -20.0, -15.0), spacing_cm=(1.0, 1.0, 1.0), shape_zyx=shape)
    image = CtImage(
        grid=grid, hu=np.zeros(shape, np.int16), frame_of_reference_uid="1.2", study_instance_uid="1.3",
        series_instance_uid="1.4", sop_instance_uids=tuple(f"1.5.{k}" for k in range(30)), patient_position="HFS",
    )  # fmt: skip
    planes = np.arange(-13.0, 14.0)
    structures = StructureSet(
        label="RTS", frame_of_reference_uid="1.2", sop_instance_uid="1.6",
        structures=(
            box((-18, 18), (-1, 18), planes, number=1, name="BODY", role=StructureRole.EXTERNAL),
            box((-2, 2), (1, 3), planes[10:15], number=2, name="PTV", role=StructureRole.PTV),
            box((-17, 17), (-1, 15), planes, number=3, name="other"),
        ),
    )  # fmt: skip
    return Case(plan=plan, image=image, structures=structures, package=package)


def with_beam(case, beam):
    return attrs.evolve(case, plan=attrs.evolve(case.plan, beams=(beam,)))


def with_structures(case, *changed):
    kept = {s.number: s for s in case.structures.structures} | {s.number: s for s in changed}
    return attrs.evolve(case, structures=attrs.evolve(case.structures, structures=tuple(kept.values())))


def with_applicator(case, applicator):
    machine = case.package.machine
    all_of_them = tuple(applicator if a.id == "A10" else a for a in machine.applicators)
    machine = attrs.evolve(machine, applicators=all_of_them)
    changed = attrs.evolve(case, package=attrs.evolve(case.package, machine=machine))
    return with_beam(changed, attrs.evolve(case.plan.beams[0], applicator_id=applicator.id))


def in_plan(name):
    return lambda c: getattr(c.plan, name)[0], lambda c, v: attrs.evolve(c, plan=attrs.evolve(c.plan, **{name: (v,)}))


# How to take an object of each class out of a case, and how to put a changed one back.
PLACES = {
    Plan: (lambda c: c.plan, lambda c, v: attrs.evolve(c, plan=v)),
    Prescription: (
        lambda c: c.plan.prescription,
        lambda c, v: attrs.evolve(c, plan=attrs.evolve(c.plan, prescription=v)),
    ),
    Goal: in_plan("goals"),
    PointOfInterest: in_plan("points"),
    DoseGridSpec: (lambda c: c.plan.dose_grid, lambda c, v: attrs.evolve(c, plan=attrs.evolve(c.plan, dose_grid=v))),
    Beam: (lambda c: c.plan.beams[0], with_beam),
    Aperture: (
        lambda c: c.plan.beams[0].aperture,
        lambda c, v: with_beam(c, attrs.evolve(c.plan.beams[0], aperture=v)),
    ),
    CtCurve: (lambda c: c.plan.ct_curve, lambda c, v: attrs.evolve(c, plan=attrs.evolve(c.plan, ct_curve=v))),
    CtCurvePoint: (
        lambda c: c.plan.ct_curve.points[1],
        lambda c, v: attrs.evolve(
            c, plan=attrs.evolve(c.plan, ct_curve=attrs.evolve(c.plan.ct_curve, points=(c.plan.ct_curve.points[0], v)))
        ),
    ),
    DensityOverride: in_plan("overrides"),
    Material: (
        lambda c: c.plan.overrides[0].material,
        lambda c, v: attrs.evolve(
            c, plan=attrs.evolve(c.plan, overrides=(attrs.evolve(c.plan.overrides[0], material=v),))
        ),
    ),
    CtImage: (lambda c: c.image, lambda c, v: attrs.evolve(c, image=v)),
    VoxelGrid: (lambda c: c.image.grid, lambda c, v: attrs.evolve(c, image=regridded(c.image, v))),
    StructureSet: (lambda c: c.structures, lambda c, v: attrs.evolve(c, structures=v)),
    Structure: (lambda c: c.structures.structure(2), with_structures),
    Contour: (
        lambda c: c.structures.structure(2).contours[0],
        lambda c, v: with_structures(
            c, attrs.evolve(c.structures.structure(2), contours=(v, *c.structures.structure(2).contours[1:]))
        ),
    ),
    MachinePackage: (lambda c: c.package, lambda c, v: attrs.evolve(c, package=v)),
    Machine: (
        lambda c: c.package.machine,
        lambda c, v: attrs.evolve(c, package=attrs.evolve(c.package, machine=v)),
    ),
    Applicator: (lambda c: c.package.machine.applicator("A10"), with_applicator),
}


def regridded(image, grid):
    uids = tuple(f"1.5.{k}" for k in range(grid.shape_zyx[0]))
    return attrs.evolve(image, grid=grid, hu=np.zeros(grid.shape_zyx, np.int16), sop_instance_uids=uids)


def renumbered(case):
    """The overridden structure under another number, and all that refers to it."""
    plan = case.plan
    changed = attrs.evolve(
        plan, overrides=(attrs.evolve(plan.overrides[0], structure_number=9),),
        prescription=attrs.evolve(plan.prescription, target_number=9), goals=(),
        beams=(attrs.evolve(plan.beams[0], target_number=9),),
    )  # fmt: skip
    kept = tuple(attrs.evolve(s, number=9) if s.number == 2 else s for s in case.structures.structures)
    return attrs.evolve(case, plan=changed, structures=attrs.evolve(case.structures, structures=kept))


def other_energies(case):
    """A machine without its highest energy."""
    package = case.package
    machine = attrs.evolve(package.machine, energies_mev=package.machine.energies_mev[:-1])
    return attrs.evolve(case, package=attrs.evolve(package, machine=machine, models=package.models[:-1]))


def other_model(case):
    """The beam's model fitted anew, and the beam planned with it."""
    package, beam = case.package, case.plan.beams[0]
    model = attrs.evolve(package.model(12.0), wide_ratio=package.model(12.0).wide_ratio * 1.01)
    models = tuple(model if m.energy_mev == 12.0 else m for m in package.models)
    return with_beam(
        attrs.evolve(case, package=attrs.evolve(package, models=models)), attrs.evolve(beam, model_digest=model.digest)
    )


def other_algorithm(case):
    """An engine that is not there yet, past the rules of the class."""
    changed = other_plan(description=case.plan.description)(case)
    object.__setattr__(changed.plan, "algorithm", enum.StrEnum("Later", {"LATER": "later"}).LATER)
    return changed


def other_plan(**fields):
    return lambda case: attrs.evolve(case, plan=attrs.evolve(case.plan, **fields))


# What cannot be changed by itself, or needs a value that makes sense.
SPECIAL = {
    (Plan, "algorithm"): other_algorithm,
    (Plan, "uncertainty_pct"): other_plan(algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=1.0),
    (Plan, "external_number"): other_plan(external_number=3),
    (Plan, "prescription"): lambda c: other_plan(prescription=attrs.evolve(c.plan.prescription, dose_gy=40.0))(c),
    (Plan, "ct_curve"): lambda c: other_plan(ct_curve=attrs.evolve(c.plan.ct_curve, points=c.plan.ct_curve.points[:1]
                                             + (attrs.evolve(c.plan.ct_curve.points[1], hu=200),)))(c),
    (Plan, "overrides"): other_plan(overrides=()),
    (Plan, "points"): lambda c: other_plan(
        points=(*c.plan.points, PointOfInterest(name="more", position_cm=(1.0, 2.0, 3.0))))(c),
    (Plan, "goals"): other_plan(goals=()),
    (Plan, "beams"): lambda c: with_beam(c, attrs.evolve(c.plan.beams[0], gantry_deg=20.0)),
    (Plan, "dose_grid"): other_plan(dose_grid=DoseGridSpec(spacing_cm=0.3)),
    (Prescription, "target_number"): lambda c: other_plan(
        prescription=attrs.evolve(c.plan.prescription, target_number=3))(c),
    (Prescription, "point_id"): lambda c: other_plan(prescription=attrs.evolve(
        c.plan.prescription, point_id=None, normalisation=Normalisation.ISODOSE))(c),
    (PointOfInterest, "id"): lambda c: other_plan(
        points=(attrs.evolve(c.plan.points[0], id="q"),),
        prescription=attrs.evolve(c.plan.prescription, point_id="q"))(c),
    (DoseGridSpec, "margin_cm"): other_plan(dose_grid=DoseGridSpec(margin_cm=2.0)),
    (Beam, "algorithm"): lambda c: with_beam(c, attrs.evolve(c.plan.beams[0], algorithm=Algorithm.PBRA)),
    (Beam, "applicator_id"): lambda c: with_beam(c, attrs.evolve(c.plan.beams[0], applicator_id="A15")),
    (Beam, "model_digest"): other_model,
    (Beam, "machine_digest"): lambda c: with_beam(
        c, attrs.evolve(c.plan.beams[0], machine_digest=c.package.machine.digest)),
    (Machine, "configuration"): lambda c: attrs.evolve(c, package=attrs.evolve(c.package, machine=attrs.evolve(
        c.package.machine, configuration=MachineConfiguration(treatment_machine_name="LA7")))),
    (Beam, "energy_mev"): lambda c: with_beam(c, attrs.evolve(c.plan.beams[0], energy_mev=9.0)),
    (Beam, "colour"): lambda c: with_beam(c, attrs.evolve(c.plan.beams[0], colour=(1, 2, 3))),
    (Beam, "reasons"): lambda c: with_beam(c, attrs.evolve(c.plan.beams[0], reasons=(("mu", "why"),))),
    (Beam, "aperture"): lambda c: with_beam(c, attrs.evolve(
        c.plan.beams[0], aperture=Aperture(outline_cm=rectangle_cm(4.0, 3.0)))),
    (Aperture, "outline_cm"): lambda c: with_beam(c, attrs.evolve(
        c.plan.beams[0], aperture=Aperture(outline_cm=rectangle_cm(4.0, 3.0)))),
    (DensityOverride, "structure_number"): lambda c: other_plan(
        overrides=(attrs.evolve(c.plan.overrides[0], structure_number=3),))(c),
    (DensityOverride, "material"): lambda c: other_plan(overrides=(attrs.evolve(
        c.plan.overrides[0], material=attrs.evolve(c.plan.overrides[0].material, density_g_cm3=1.2)),))(c),
    (CtImage, "grid"): lambda c: attrs.evolve(c, image=regridded(
        c.image, attrs.evolve(c.image.grid, origin_cm=(-20.0, -20.0, -15.5)))),
    (CtImage, "hu"): lambda c: attrs.evolve(c, image=attrs.evolve(c.image, hu=c.image.hu + np.int16(1))),
    (CtImage, "patient_position"): lambda c: attrs.evolve(c, image=attrs.evolve(c.image, patient_position="FFS")),
    (CtImage, "sop_instance_uids"): lambda c: attrs.evolve(c, image=attrs.evolve(
        c.image, sop_instance_uids=c.image.sop_instance_uids[::-1])),
    (VoxelGrid, "shape_zyx"): lambda c: attrs.evolve(c, image=regridded(
        c.image, attrs.evolve(c.image.grid, shape_zyx=(29, 40, 40)))),
    (VoxelGrid, "axes"): lambda c: attrs.evolve(c, image=regridded(c.image, attrs.evolve(
        c.image.grid, axes=((0.8, 0.6, 0.0), (-0.6, 0.8, 0.0), (0.0, 0.0, 1.0))))),
    (Structure, "number"): renumbered,
    (Structure, "contours"): lambda c: with_structures(c, attrs.evolve(
        c.structures.structure(2), contours=c.structures.structure(2).contours[1:])),
    (Structure, "colour"): lambda c: with_structures(c, attrs.evolve(c.structures.structure(2), colour=(9, 9, 9))),
    (Structure, "points"): lambda c: with_structures(c, attrs.evolve(
        c.structures.structure(2), points=((1.0, 1.0, 1.0),))),
    (MachinePackage, "models"): other_model,
    (MachinePackage, "acceptance"): lambda c: attrs.evolve(c, package=attrs.evolve(
        c.package, acceptance=(EnergyAcceptance(energy_mev=12.0, engine="PBRA", tests=()),))),
    (MachinePackage, "output_tables"): lambda c: attrs.evolve(c, package=attrs.evolve(c.package, output_tables=())),
    (Machine, "sad_cm"): lambda c: PLACES[Machine][1](c, attrs.evolve(c.package.machine, sad_cm=100.5)),
    (Machine, "applicators"): lambda c: with_applicator(c, attrs.evolve(
        c.package.machine.applicator("A10"), opening_x_cm=10.1)),
    (Machine, "energies_mev"): other_energies,
}  # fmt: skip
SPECIAL[CtCurve, "points"] = SPECIAL[Plan, "ct_curve"]
SPECIAL[StructureSet, "structures"] = SPECIAL[Structure, "contours"]
SPECIAL[MachinePackage, "machine"] = SPECIAL[Machine, "sad_cm"]


def changed_value(value, kind):
    """Another value of the same kind, for fields that take any."""
    if isinstance(value, enum.Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, np.ndarray):
        return value + 0.125
    if isinstance(value, tuple):
        return tuple(v + 0.125 if isinstance(v, float) else v for v in value)
    if isinstance(value, float | int):
        return not value if kind is bool else value + (1 if int in parts(kind) else 0.125)
    if isinstance(value, str):
        return value + "x"
    assert value is None
    return 0.5 if float in parts(kind) else 2


FIELDS = [(cls, name) for cls, (a, b) in CLASSES.items() for name in (*a.split(), *b.split())]


@pytest.mark.parametrize(("cls", "name"), FIELDS, ids=lambda v: getattr(v, "__name__", v))
def test_the_digest_follows_what_is_dosimetric_and_nothing_else(case, cls, name):
    take, put = PLACES[cls]
    if (cls, name) in SPECIAL:
        changed = SPECIAL[cls, name](case)
    else:
        before = take(case)
        value = changed_value(getattr(before, name), typing.get_type_hints(cls)[name])
        changed = put(case, attrs.evolve(before, **{name: value}))
    assert changed != case, "the test changed nothing"
    is_dosimetric = name in CLASSES[cls][0].split()
    # Nearly everything moves the dose grid too; on one and the same grid each field must tell by itself.
    grid = None if cls is DoseGridSpec or name == "dose_grid" else case.image.grid
    assert (changed.digest(grid) != case.digest(grid)) is is_dosimetric


def nested(value):
    """Every attrs object in a model, with a way to build the model that has another one there."""
    yield value, lambda v: v
    for field in attrs.fields(type(value)):
        inner = getattr(value, field.name)
        if attrs.has(type(inner)):
            for part, put in nested(inner):
                yield part, lambda v, put=put, name=field.name: attrs.evolve(value, **{name: put(v)})
        elif isinstance(inner, tuple) and inner and attrs.has(type(inner[0])):
            for part, put in nested(inner[0]):
                yield (
                    part,
                    lambda v, put=put, name=field.name, rest=inner[1:]: attrs.evolve(value, **{name: (put(v), *rest)}),
                )


def test_every_figure_of_a_beam_model_is_in_its_digest(case):
    plain = case.package.model(12.0)
    measured = MeasuredRange(depth_min_cm=0.1, depth_max_cm=9.9, incidence_max_deg=0.0)
    model = attrs.evolve(plain, validity=attrs.evolve(plain.validity, measured=measured))
    seen = set()
    for part, put in nested(model):
        seen.add(type(part))
        for field in attrs.fields(type(part)):
            value = getattr(part, field.name)
            other = object.__new__(type(part))  # past the rules of the class: only the digest is asked
            for each in attrs.fields(type(part)):
                object.__setattr__(other, each.name, getattr(part, each.name))
            if attrs.has(type(value)):
                continue  # its own fields are asked
            new = value * 1.5 + 1 if isinstance(value, np.ndarray) else (value, "other")
            object.__setattr__(other, field.name, new)
            assert digest_of(put(other)) != model.digest, f"{type(part).__name__}.{field.name}"
    assert seen == WHOLE


def test_the_order_of_overrides_and_the_numerics_version_are_dosimetric(case):
    more = DensityOverride(structure_number=3, material=case.plan.overrides[0].material)
    both = attrs.evolve(case, plan=attrs.evolve(case.plan, overrides=(*case.plan.overrides, more)))
    turned = attrs.evolve(case, plan=attrs.evolve(case.plan, overrides=(more, *case.plan.overrides)))
    assert both.digest() != turned.digest()
    service = DoseService(
        image=case.image, structures=case.structures, models=Models([case.package]), kept=lambda _d: None, cache=None
    )
    request = service.requests(case.plan)[0].request
    newer = attrs.evolve(request, numerics_version=request.numerics_version + 1)
    assert newer.digest != request.digest
    for field in attrs.fields(DoseRequest):
        assert field.eq is not False, f"{field.name} is not in the digest"


def test_only_a_monte_carlo_dose_depends_on_the_uncertainty_asked_for(case):
    asked = {
        (algorithm, wanted): other_plan(algorithm=algorithm, uncertainty_pct=wanted)(case).digest()
        for algorithm in Algorithm
        for wanted in (0.5, 2.0, 3.0)
    }
    for algorithm in Algorithm:
        names = {asked[algorithm, wanted] for wanted in (0.5, 2.0, 3.0)}
        assert len(names) == (3 if algorithm is Algorithm.MONTE_CARLO else 1)
    assert asked[Algorithm.PENCIL_BEAM, 0.5] == case.digest()


def test_each_request_has_its_own_random_numbers_and_always_the_same(case):
    def settings(**fields):
        service = DoseService(
            image=case.image,
            structures=case.structures,
            models=Models([case.package]),
            kept=lambda _d: None,
            cache=None,
        )
        (item,) = service.requests(other_plan(**fields)(case).plan)
        return monte_carlo_settings(item.request)

    assert settings() is None
    one = settings(algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=1.0)
    assert one == settings(algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=1.0)
    assert one.uncertainty_pct == 1.0
    assert one.seed != settings(algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=1.5).seed
