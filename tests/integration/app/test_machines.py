"""Machines in a real site: versions are kept, plans stay with theirs, packages go out and come in."""

from __future__ import annotations

import json
import os

import attrs
import pytest

from ert.app.export_service import export_plan
from ert.app.jobs import JobContext
from ert.app.plan_output import plan_report
from ert.app.session import SiteSession
from ert.cli.main import call
from ert.commissioning.package import read_package
from ert.domain.angle_scale import AngleScale
from ert.domain.machine_configuration import AngleRange
from ert.domain.plan import with_beam
from ert.domain.record import Severity
from ert.errors import Conflict, ExportRejected, Refused
from ert.settings import resources_dir
from tests.integration.app.conftest import PASSWORD, USER, Owner

PACKAGE = resources_dir() / "demo_machine" / "package"
STEP_CM = 4.2


def reconfigure(session, **changes):
    (package,) = {p.machine.name: p for p in session.machines()}.values()
    return session.configure_machine(package, attrs.evolve(package.machine.configuration, **changes))


def codes(workspace):
    return [f.code for f in workspace.findings]


def test_a_plan_stays_with_the_version_it_was_made_with_until_the_machine_is_chosen_anew(session, owner, beam):
    (row,) = session.patients()
    plan_id = row.courses[0].plans[0].plan_id
    workspace = session.open_plan(plan_id)
    workspace.apply("Add", lambda plan: with_beam(plan, beam))
    workspace.wait_for_dose(owner.pump)
    saved = []
    workspace.save(lambda: saved.append(True))
    owner.until(lambda: saved)
    dose = workspace.dose.plan_gy.copy()
    assert "machine-version" not in codes(workspace)
    assert not {"collision", "clearance", "couch-limit", "block-material", "jaws-unknown"} & set(codes(workspace))
    workspace.close()

    before = session.machines()[0].machine
    gantry = AngleRange(from_deg=beam.gantry_deg + 5.0, to_deg=beam.gantry_deg + 100.0)
    made = reconfigure(session, gantry=gantry, scale=AngleScale.VARIAN_STANDARD)
    assert [p.machine.configuration.revision for p in session.machines()] == [0, 1]
    assert session.models.package(before.name).digest == made.digest

    workspace = session.open_plan(plan_id)
    workspace.wait_for_dose(owner.pump)
    assert workspace.models.of_beam(workspace.plan.beams[0])[0] == before
    assert "machine-version" in codes(workspace)
    assert "gantry-limit" not in codes(workspace)
    report = plan_report(workspace, ())
    assert report.machines == {before.name: before}
    assert (f"Machine {before.name}", before.digest) in report.digests

    old = workspace.plan.beams[0]
    workspace.apply("Renew", lambda plan: with_beam(plan, workspace.tools.with_energy(old, old.energy_mev)))
    assert workspace.dose.is_current  # limits and scale are no part of a dose
    assert (workspace.dose.plan_gy == dose).all()
    assert workspace.plan.beams[0].machine_digest == made.machine.digest
    assert "machine-version" not in codes(workspace)
    assert "gantry-limit" in codes(workspace)
    workspace.undo()
    assert workspace.plan.beams[0].machine_digest == before.digest
    workspace.close()


def test_a_beam_that_would_hit_the_patient_is_stopped(workspace, beam):
    workspace.apply("Add", lambda plan: with_beam(plan, attrs.evolve(beam, gantry_deg=(beam.gantry_deg + 75) % 360)))
    (found,) = [f for f in workspace.findings if f.code == "collision"]
    assert "'BODY' reaches" in found.sentence
    workspace.cancel_dose()


def test_a_beam_close_to_the_patient_is_warned_of(workspace, beam):
    frame = workspace.tools.frame(beam)
    nearer = tuple(float(v) for v in frame.to_patient((0.0, 0.0, -STEP_CM)))
    workspace.apply("Add", lambda plan: with_beam(plan, attrs.evolve(beam, isocentre_cm=nearer)))
    far = workspace.tools.clearance(workspace.plan, beam).distance_cm
    near = workspace.tools.clearance(workspace.plan, workspace.plan.beams[0]).distance_cm
    assert near == pytest.approx(far - STEP_CM, abs=0.01)  # the box's flat face over the nearest skin
    assert 0 < near < 1
    assert "clearance" in codes(workspace)
    assert "collision" not in codes(workspace)
    workspace.cancel_dose()


def test_exported_plans_carry_the_configured_machine(session, workspace, owner, beam, tmp_path):
    import pydicom

    workspace.apply("Add", lambda plan: with_beam(plan, beam))
    workspace.wait_for_dose(owner.pump)
    saved = []
    workspace.save(lambda: saved.append(True))
    owner.until(lambda: saved)
    export_plan(session, workspace, tmp_path / "out", JobContext())
    item = pydicom.dcmread(tmp_path / "out" / "rtplan.dcm").BeamSequence[0]
    assert (item.TreatmentMachineName, item.Manufacturer) == ("Demo linac", "ERT project (synthetic)")
    jaws = workspace.models.of_beam(beam)[0].jaws_cm(beam.applicator_id, beam.energy_mev)
    x, y = (p.LeafJawPositions for p in item.ControlPointSequence[0].BeamLimitingDevicePositionSequence)
    assert [v / 10 for v in (*x, *y)] == pytest.approx(jaws)


def test_a_plan_the_machine_cannot_treat_is_not_exported(session, owner, beam, tmp_path):
    reconfigure(session, max_mu=50.0)
    (row,) = session.patients()
    workspace = session.open_plan(row.courses[0].plans[0].plan_id)
    workspace.apply("Add", lambda plan: with_beam(plan, workspace.tools.with_energy(beam, beam.energy_mev)))
    workspace.wait_for_dose(owner.pump)
    saved = []
    workspace.save(lambda: saved.append(True))
    owner.until(lambda: saved)
    with pytest.raises(ExportRejected, match="MU per fraction are outside"):
        export_plan(session, workspace, tmp_path / "out", JobContext())
    assert not (tmp_path / "out").exists()
    workspace.close()


def test_two_physicists_at_once_and_nothing_new_are_refused(session):
    first = session.machines()[0]
    reconfigure(session, max_mu=500.0)
    with pytest.raises(Conflict):
        session.configure_machine(first, attrs.evolve(first.machine.configuration, max_mu=600.0))
    with pytest.raises(Refused, match="already"):
        reconfigure(session, max_mu=500.0)
    reconfigure(session, max_mu=999.0)  # back to what it was: a version of its own
    assert [p.machine.configuration.max_mu for p in session.machines()] == [999.0, 500.0, 999.0]


def test_a_machine_leaves_as_a_package_and_comes_into_another_site(session, owner, gateway, tmp_path):
    made = reconfigure(session, clearance_cm=2.0)
    session.export_machine(made, tmp_path / "machine")
    assert read_package(tmp_path / "machine").digest == made.digest
    pending = gateway.prepare(tmp_path / "other", site_name="Other", admin_name=USER, password=PASSWORD)
    pending.confirm(pending.recovery_code)
    other_owner = Owner()
    other = SiteSession.open(gateway, other_owner.jobs, tmp_path / "other", user_name=USER, password=PASSWORD)
    try:
        assert other.add_machine(tmp_path / "machine").machine.configuration.clearance_cm == 2.0
        moved = attrs.evolve(made, machine=attrs.evolve(made.machine, insert_distance_cm=94.0))
        with pytest.raises(Refused, match="other distances"):
            other._machines.add(moved)
        assert len(other.machines()) == 1
    finally:
        other.close()
        other_owner.jobs.shutdown()


def test_the_site_is_sound_after_a_change(session):
    reconfigure(session, max_mu=500.0)
    assert [f for f in session.check() if f.severity is Severity.BLOCKER] == []


class Wired:
    def __init__(self, gateway):
        self._gateway = gateway

    def gateway(self):
        return self._gateway


def run(gateway, *arguments):
    reading, writing = os.pipe()
    os.write(writing, f"{PASSWORD}\n".encode())
    os.close(writing)
    try:
        return call([*map(str, arguments), "--user", USER, "--password-fd", str(reading)], Wired(gateway))
    finally:
        os.close(reading)


def test_commands_show_configure_and_add(gateway, site_path, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))
    assert run(gateway, "machine", "show", "Demo linac", "--site", site_path, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["revision"], shown["is_demo"]) == ("Demo linac", 0, True)
    configuration = tmp_path / "room.toml"
    configuration.write_text('format = 1\nscale = "Varian IEC"\n', encoding="utf-8")
    assert run(gateway, "machine", "configure", "Demo linac", configuration, "--site", site_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["revision"] == 1
    assert run(gateway, "machine", "show", "Demo linac", "--site", site_path) == 0
    text = capsys.readouterr().out
    assert "Varian IEC" in text
    assert "DEMO, not for clinical use" in text
    assert run(gateway, "machine", "add", PACKAGE, "--site", site_path) == 0  # known already: nothing changes
    assert run(gateway, "machine", "show", "No such", "--site", site_path) == 1
    assert "no machine 'No such'" in capsys.readouterr().err
    assert run(gateway, "machine", "configure", "Demo linac", tmp_path / "none", "--site", site_path) == 1


def test_a_package_is_shown_without_a_site(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))
    assert call(["machine", "show", str(PACKAGE)]) == 0
    assert "A20" in capsys.readouterr().out
    assert call(["machine", "show", str(tmp_path)]) == 1
