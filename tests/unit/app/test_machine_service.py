"""New configurations become new versions; dose stays named by one geometry; a machine in plain values."""

from __future__ import annotations

import json

import attrs
import pytest

from ert.app.dose_service import Models
from ert.app.machine_service import configured, machine_summary, refuse_other_geometry, room_jaws_text
from ert.commissioning.package import package_bytes, package_from_bytes, read_package
from ert.domain.acceptance import AcceptanceTest, EnergyAcceptance, Verdict
from ert.domain.angle_scale import AngleScale
from ert.domain.beam_model import MeasuredRange
from ert.domain.machine_configuration import AngleRange, ApplicatorSetting
from ert.errors import Conflict, Refused
from ert.settings import resources_dir

DEMO = read_package(resources_dir() / "demo_machine" / "package")
LIMITED = attrs.evolve(DEMO.machine.configuration, couch=AngleRange(from_deg=-10.0, to_deg=10.0))


def test_a_new_configuration_counts_on_and_leaves_beam_models_and_dose_geometry_alone():
    made = configured(DEMO, LIMITED, Models([DEMO]))
    again = configured(made, DEMO.machine.configuration, Models([DEMO, made]))
    assert [p.machine.configuration.revision for p in (DEMO, made, again)] == [0, 1, 2]
    assert len({p.digest for p in (DEMO, made, again)}) == 3
    assert [m.digest for m in again.models] == [m.digest for m in DEMO.models]
    assert again.machine.dosimetric_digest == DEMO.machine.dosimetric_digest
    assert package_from_bytes(package_bytes(made)).digest == made.digest


def test_an_edit_of_an_older_version_the_same_again_and_what_does_not_fit_are_refused():
    made = configured(DEMO, LIMITED, Models([DEMO]))
    with pytest.raises(Conflict, match="revision 1"):
        configured(DEMO, attrs.evolve(LIMITED, clearance_cm=2.0), Models([DEMO, made]))
    with pytest.raises(Refused, match="already"):
        configured(made, LIMITED, Models([DEMO, made]))
    wrong = attrs.evolve(LIMITED, applicators=(ApplicatorSetting(applicator_id="A99", tray_id="T"),))
    with pytest.raises(Refused, match="A99"):
        configured(DEMO, wrong, Models([DEMO]))


@pytest.mark.parametrize("change", [{"sad_cm": 101.0}, {"insert_distance_cm": 94.0}, {"insert_thickness_cm": 1.0}])
def test_a_beam_model_on_another_geometry_is_refused(change):
    other = attrs.evolve(DEMO, machine=attrs.evolve(DEMO.machine, **change))
    with pytest.raises(Refused, match="other distances"):
        refuse_other_geometry(other, Models([DEMO]))
    refuse_other_geometry(DEMO, Models([DEMO]))
    refuse_other_geometry(other, Models([]))


def test_a_package_of_some_of_the_energies_is_the_same_geometry():
    energies = (6.0, 12.0)
    configuration = attrs.evolve(DEMO.machine.configuration, jaws=())
    machine = attrs.evolve(DEMO.machine, energies_mev=energies, configuration=configuration)
    refuse_other_geometry(attrs.evolve(DEMO, machine=machine, models=DEMO.models[:2]), Models([DEMO]))


def test_the_summary_is_plain_and_says_what_the_demo_machine_is():
    summary = machine_summary(DEMO)
    assert json.loads(json.dumps(summary)) == summary
    assert (summary["name"], summary["is_demo"], summary["scale"]) == ("Demo linac", True, "IEC 61217")
    assert summary["limits"]["couch_deg"] == [-95.0, 95.0]
    assert [e["energy_mev"] for e in summary["energies"]] == [6.0, 12.0, 20.0]
    a06 = summary["applicators"][0]
    assert (a06["outer_box_cm"], a06["face_distance_cm"], a06["is_box_assumed"]) == ([13.0, 13.0], 95.0, False)
    assert a06["jaws_cm"]["20"] == [-5.5, 5.5, -5.5, 5.5]


def test_the_summary_says_what_was_measured_and_what_the_acceptance_found():
    measured = MeasuredRange(depth_min_cm=0.1, depth_max_cm=6.9, incidence_max_deg=30.0)
    first, *others = DEMO.models
    known = attrs.evolve(first, validity=attrs.evolve(first.validity, measured=measured))
    plain = [attrs.evolve(m, validity=attrs.evolve(m.validity, measured=None)) for m in others]
    row = AcceptanceTest(
        number="8.3", description="oblique", tolerance="5 %", found="+9 %", where="bar", verdict=Verdict.FAILED
    )
    table = EnergyAcceptance(energy_mev=6.0, engine="PBRA", tests=(row,))
    summary = machine_summary(attrs.evolve(DEMO, models=(known, *plain), acceptance=(table,)))
    assert json.loads(json.dumps(summary)) == summary
    shown = [(e["measured_depth_cm"], e["verified_incidence_deg"]) for e in summary["energies"]]
    assert shown == [([0.1, 6.9], 30.0), (None, None), (None, None)]
    (of,) = summary["acceptance"]
    assert (of["energy_mev"], of["engine"], of["tests"][0]["verdict"]) == (6.0, "PBRA", "failed")


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        (AngleScale.IEC_61217, "X1 −5.5, X2 5.5, Y1 −5.5, Y2 5.5 (IEC 61217)"),
        (AngleScale.VARIAN_STANDARD, "X1 5.5, X2 5.5, Y1 5.5, Y2 5.5 (Varian Standard)"),
        (AngleScale.ELEKTA_NATIVE, "X1 −5.5, X2 5.5, Y1 −5.5, Y2 5.5 (IEC 61217)"),
    ],
)
def test_jaws_as_the_room_shows_them(scale, text):
    machine = attrs.evolve(DEMO.machine, configuration=attrs.evolve(DEMO.machine.configuration, scale=scale))
    assert room_jaws_text(machine, "A06", 20.0) == text


def test_an_applicator_is_offered_where_it_is_in_use_with_the_energy():
    settings = (
        ApplicatorSetting(applicator_id="A06", is_available=False),
        ApplicatorSetting(applicator_id="A10", energies_mev=(6.0, 12.0)),
    )
    machine = attrs.evolve(DEMO.machine, configuration=attrs.evolve(DEMO.machine.configuration, applicators=settings))
    offered = {e: [a.id for a in machine.applicators if machine.offers(a.id, e)] for e in (12.0, 20.0)}
    assert offered == {12.0: ["A10", "A15", "A20"], 20.0: ["A15", "A20"]}
