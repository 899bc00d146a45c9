"""Each limit of a machine stops a beam that breaks it, and lets pass one that keeps it."""

from __future__ import annotations

from types import SimpleNamespace

import attrs
import pytest

from ert.app.dose_service import Models
from ert.app.machine_checks import machine_findings, machines_of
from ert.commissioning.package import read_package
from ert.domain.angle_scale import AngleScale
from ert.domain.beam import Beam
from ert.domain.device import Aperture, ApertureSource
from ert.domain.machine_configuration import (
    AngleRange,
    ApplicatorSetting,
    BlockMaterial,
    JawSetting,
    MachineConfiguration,
)
from ert.domain.record import Severity
from ert.errors import ExportRejected
from ert.geometry.clearance import Clearance
from ert.settings import resources_dir

DEMO = read_package(resources_dir() / "demo_machine" / "package")
BOX = ApplicatorSetting(applicator_id="A10", width_cm=17.0, height_cm=17.0, face_distance_cm=95.0)
JAWS = JawSetting(applicator_id="A10", x1_cm=-10.0, x2_cm=10.0, y1_cm=-10.0, y2_cm=10.0)
CLEAN = MachineConfiguration(
    gantry=AngleRange(from_deg=-150.0, to_deg=150.0), collimator=AngleRange(from_deg=-90.0, to_deg=90.0),
    couch=AngleRange(from_deg=-95.0, to_deg=95.0), ssd_min_cm=98.0, ssd_max_cm=110.0, min_mu=5.0, max_mu=500.0,
    clearance_cm=1.0, applicators=(BOX,), jaws=(JAWS,), scale=AngleScale.VARIAN_STANDARD,
    block_materials=(BlockMaterial(name="lead", density_g_cm3=11.35, thickness_cm=1.2),),
)  # fmt: skip


def package(configuration=CLEAN):
    return attrs.evolve(DEMO, machine=attrs.evolve(DEMO.machine, configuration=configuration))


def beam_on(made, **changes):
    fields = {
        "number": 1, "name": "B", "machine_name": made.machine.name, "energy_mev": 12.0, "applicator_id": "A10",
        "model_digest": made.model(12.0).digest, "machine_digest": made.machine.digest,
        "isocentre_cm": (0.0, 0.0, 0.0), "gantry_deg": 10.0, "ssd_cm": 100.0, "mu": 100.0,
        "aperture": Aperture(outline_cm=((-3, -3), (3, -3), (3, 3)), material="cerrobend", thickness_cm=1.5),
    }  # fmt: skip
    return Beam(**{**fields, **changes})


def judge(configuration=CLEAN, *, distance_cm=3.0, models=None, **changes):
    made = package(configuration)
    beam = beam_on(made, **changes)
    clearance = Clearance(distance_cm=distance_cm, point_cm=(1.0, -2.0, 3.0), structure="BODY", body="applicator A10")
    plan = SimpleNamespace(beams=(beam,))
    return list(machine_findings(plan, beam, models or Models([made]), lambda _plan, _beam: clearance))


def test_a_beam_within_all_limits_has_no_finding():
    assert judge() == []


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"gantry_deg": 180.0}, "gantry-limit", "180.0° (IEC 61217; 0.0° Varian Standard in the room)"),
        ({"collimator_deg": 91.0}, "collimator-limit", "−90° to 90°"),
        ({"couch_deg": 264.0}, "couch-limit", "264.0°"),
        ({"ssd_cm": 97.9}, "machine-ssd", "98–110"),
        ({"ssd_cm": 110.2}, "machine-ssd", "98–110"),
        ({"mu": 4.9}, "mu-limit", "5–500"),
        ({"mu": 501.0}, "mu-limit", "501.0 MU"),
        ({"energy_mev": 9.0}, "energy", "9 MeV"),
        ({"distance_cm": 0.0}, "collision", "0.0 cm into applicator A10 at (1.0, −2.0, 3.0) cm"),
        ({"distance_cm": -1.26}, "collision", "1.3 cm into"),
    ],
)
def test_what_the_machine_cannot_do_is_a_blocker(changes, code, words):
    (found,) = [f for f in judge(**changes) if f.code == code]
    assert found.severity is Severity.BLOCKER
    assert words in found.sentence
    assert found.subject == "B"


@pytest.mark.parametrize(
    "changes",
    [{"gantry_deg": 210.0}, {"gantry_deg": 150.0}, {"couch_deg": 265.0}, {"ssd_cm": 97.96}, {"mu": 5.0}, {"mu": None},
     {"ssd_cm": None}, {"distance_cm": 1.0}],
)  # fmt: skip
def test_what_lies_on_a_limit_passes(changes):
    assert judge(**changes) == []


def test_applicators_switched_off_or_not_for_an_energy_are_blockers():
    off = attrs.evolve(CLEAN, applicators=(attrs.evolve(BOX, is_available=False),))
    assert [(f.code, f.severity) for f in judge(off)] == [("applicator-off", Severity.BLOCKER)]
    low = attrs.evolve(CLEAN, applicators=(attrs.evolve(BOX, energies_mev=(6.0,)),))
    (found,) = judge(low)
    assert (found.code, found.severity) == ("applicator-energy", Severity.BLOCKER)
    assert "only with 6 MeV" in found.sentence


def test_warnings_that_do_not_stop():
    (near,) = judge(distance_cm=0.4)
    assert (near.code, near.severity) == ("clearance", Severity.WARNING)
    assert "only 0.4 cm" in near.sentence
    assert "1 cm are wanted" in near.sentence
    assert [f.code for f in judge(attrs.evolve(CLEAN, jaws=()))] == ["jaws-unknown"]
    assert [f.code for f in judge(attrs.evolve(CLEAN, applicators=()))] == ["box-assumed"]


@pytest.mark.parametrize(
    ("material", "thickness", "source", "codes"),
    [
        ("cerrobend", 1.5, ApertureSource.EDITED, []),
        ("Lead", 1.2, ApertureSource.EDITED, []),
        ("lead", 1.5, ApertureSource.EDITED, ["block-material"]),
        ("wood", 1.5, ApertureSource.TARGET, ["block-material"]),
        ("wood", 1.5, ApertureSource.OPEN, []),
    ],
)
def test_cutouts_of_other_materials_are_named(material, thickness, source, codes):
    aperture = Aperture(
        outline_cm=((-3, -3), (3, -3), (3, 3)), material=material, thickness_cm=thickness, source=source
    )
    assert [f.code for f in judge(aperture=aperture)] == codes


def versions():
    first = package()
    wider = attrs.evolve(CLEAN, revision=1, gantry=AngleRange())
    return first, package(wider)


def test_beams_keep_the_version_they_were_planned_with_and_say_that_there_is_another():
    first, second = versions()
    models = Models([first, second])
    plan = SimpleNamespace(name="P")
    old, new = beam_on(first, gantry_deg=180.0), beam_on(second, gantry_deg=180.0)
    unrecorded = beam_on(first, machine_digest="", gantry_deg=180.0)

    def codes(beam):
        return [f.code for f in machine_findings(plan, beam, models, lambda _plan, _beam: None)]

    assert codes(old) == codes(unrecorded) == ["gantry-limit", "machine-version"]
    assert codes(new) == []
    assert models.of_beam(old)[0] == models.of_beam(unrecorded)[0] == first.machine
    assert models.of_beam(new)[0] == second.machine


def test_one_plan_leaves_with_one_version_of_a_machine():
    first, second = versions()
    models = Models([first, second])
    plan = SimpleNamespace(name="P", beams=(beam_on(first), beam_on(first)))
    assert machines_of(plan, models) == {"Demo linac": first.machine}
    mixed = SimpleNamespace(name="P", beams=(beam_on(first), beam_on(second)))
    with pytest.raises(ExportRejected, match="different versions"):
        machines_of(mixed, models)
