"""The release of a machine package in the window, on a real site: seen, refused, signed, compared, withdrawn."""

import attrs
import pytest

from ert.app.jobs import Jobs
from ert.app.release_book import ReleaseState
from ert.app.session import SiteSession
from ert.commissioning.package import read_package, write_package
from ert.domain.acceptance import AcceptanceTest, EnergyAcceptance, Verdict
from ert.domain.account import Grant
from ert.errors import NotPermitted
from ert.settings import resources_dir
from ert.ui.beam_table import ROWS
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.machines_dialog import MachinesDialog
from tests.ui import real_site

WORDS = "Checked against tank scans of 2026-02; oblique fields were not measured and are not to be planned."


def clinical(*, origin, output_factor=1.0):
    package = read_package(resources_dir() / "demo_machine" / "package")
    machine = attrs.evolve(package.machine, name="Linac 1")
    models = tuple(attrs.evolve(m, machine_name="Linac 1", is_demo=False) for m in package.models)
    models = tuple(attrs.evolve(m, electron_gy_per_mu=m.electron_gy_per_mu * output_factor) for m in models)
    tests = (
        AcceptanceTest(number="8.1", description="dose per MU", tolerance="0.5 %", found="+0.10 %", where="A10 open",
                       verdict=Verdict.PASSED),
        AcceptanceTest(number="8.3", description="oblique incidence", tolerance="5 %", found="–", where="none",
                       verdict=Verdict.NOT_MEASURED),
    )  # fmt: skip
    acceptance = (EnergyAcceptance(energy_mev=6.0, engine="PBRA", tests=tests),)
    return attrs.evolve(
        package, machine=machine, models=models, is_demo=False, origin=origin, acceptance=acceptance
    )  # fmt: skip


@pytest.fixture
def session(qtbot, tmp_path):
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    opened = SiteSession.open(
        real_site.gateway(), jobs, real_site.filled_site(tmp_path / "site"),
        user_name=real_site.USER, password=real_site.PASSWORD,
    )  # fmt: skip
    yield opened
    real_site.settle(jobs, qtbot)
    opened.close()
    jobs.shutdown()


def shown(qtbot, session, tmp_path, package, name):
    """The machines dialog with the package chosen, and its release dialog."""
    write_package(tmp_path / name, package)
    session.add_machine(tmp_path / name)
    machines = MachinesDialog(session)
    qtbot.addWidget(machines)
    machines.refresh("Linac 1")
    return machines, machines.open_release()


def sign(dialog, words, password):
    dialog.words.setPlainText(words)
    dialog.password.setText(password)
    dialog.accept_short.setChecked(True)
    dialog.sign_button.click()


def test_a_package_is_looked_at_signed_with_the_password_and_withdrawn_with_a_reason(qtbot, session, tmp_path):
    package = clinical(origin="measured 2026-02")
    machines, dialog = shown(qtbot, session, tmp_path, package, "first")
    assert dialog.state.text() == "not released"
    assert dialog.ranges.text().splitlines()[1].startswith("12 MeV: SSD 97.5 to 115 cm, applicators A06, A10, A15, A20")
    row = [dialog.acceptance.item(1, c).text() for c in range(8)]
    assert (row[0], row[1], row[4], row[7]) == ("6", "8.3", "PBRA", "not measured")
    assert dialog.accept_short.text() == "I accept: 1 of 2 acceptance tests were not measured."
    dialog.words.setPlainText(WORDS)
    dialog.password.setText(real_site.PASSWORD)
    assert not dialog.sign_button.isEnabled()  # the test that was not measured is not accepted yet
    sign(dialog, WORDS, real_site.PASSWORD + "x")
    qtbot.waitUntil(lambda: bool(dialog.message.text), timeout=20_000)
    assert "password is wrong" in dialog.message.text
    assert session.releases.standing(package).state is ReleaseState.NOT_RELEASED
    sign(dialog, "too short", real_site.PASSWORD)
    qtbot.waitUntil(lambda: "20 to 4000 characters" in dialog.message.text, timeout=20_000)
    with qtbot.waitSignal(machines.machines_changed, timeout=20_000):
        sign(dialog, WORDS, real_site.PASSWORD)
    entry = session.releases.standing(package).entry
    assert (entry.value.statement, entry.value.version, entry.saved_by) == (WORDS, 1, real_site.USER)
    assert dialog.password.text() == ""
    assert dialog.history.item(0, 1).text() == "released"
    assert "released (version 1" in machines.facts.text()
    assert machines.versions.text(0, 4).startswith("released (version 1")
    assert dialog.withdraw_button.isVisibleTo(dialog)
    dialog.words.setPlainText("Output drifted by 2 %.")
    dialog.password.setText(real_site.PASSWORD)
    with qtbot.waitSignal(dialog.changed, timeout=20_000):
        dialog.withdraw_button.click()
    assert session.releases.standing(package).state is ReleaseState.WITHDRAWN
    assert [dialog.history.item(n, 1).text() for n in range(2)] == ["withdrawn", "released"]
    assert [dialog.history.item(n, 4).text() for n in range(2)] == ["Output drifted by 2 %.", WORDS]
    assert session.check() == ()


def test_the_next_version_is_compared_with_the_released_one(qtbot, session, tmp_path):
    _, dialog = shown(qtbot, session, tmp_path, clinical(origin="measured 2026-02"), "first")
    assert "nothing to compare" in dialog.difference_text.text()
    with qtbot.waitSignal(dialog.changed, timeout=20_000):
        sign(dialog, WORDS, real_site.PASSWORD)
    machines, second = shown(
        qtbot, session, tmp_path, clinical(origin="measured 2026-09", output_factor=1.02), "second"
    )
    assert second.state.text() == "not released"
    qtbot.waitUntil(lambda: second.difference.rowCount() > 0, timeout=120_000)
    changes = [second.difference.item(n, 3).text() for n in range(second.difference.rowCount())]
    outputs = [float(text.split()[1]) for text in changes if text.startswith("output ")]
    assert len(outputs) == 12  # 4 applicators at 3 energies
    assert all(1.8 < change <= 2.0 for change in outputs)  # electrons 2 % up, photons as they were
    assert "Against released version 1" in second.difference_text.text()
    with qtbot.waitSignal(second.changed, timeout=20_000):
        sign(second, WORDS, real_site.PASSWORD)
    assert second.view.standing.entry.value.version == 2
    machines.refresh("Linac 1")
    machines.tabs.setCurrentIndex(machines.tabs.count() - 1)
    machines.versions.setCurrentCell(0, 0)
    older = machines.open_release()  # of the chosen version, while its comparison is still computed
    assert older.view.standing.entry.value.version == 1
    older.reject()


def test_who_may_not_release_can_look_only(qtbot, session, tmp_path):
    session.accounts.add("anna", password="Neutron-1932!", grant=Grant(is_administrator=True))
    machines, dialog = shown(qtbot, session, tmp_path, clinical(origin="measured"), "first")
    dialog.reject()
    session.accounts.set_grant(session.account.id, Grant())
    dialog = machines.open_release()
    assert "the level Elevated" in dialog.message.text
    dialog.words.setPlainText(WORDS)
    dialog.password.setText(real_site.PASSWORD)
    dialog.accept_short.setChecked(True)
    assert not dialog.sign_button.isEnabled()
    with pytest.raises(NotPermitted, match="release a machine"):
        session.release_desk.sign(dialog.view, statement=WORDS, password=real_site.PASSWORD, is_short_accepted=True)


def test_the_beam_table_says_how_a_beams_model_stands(qtbot, session, tmp_path):
    package = clinical(origin="measured")
    write_package(tmp_path / "first", package)
    session.add_machine(tmp_path / "first")
    workspace = session.open_plan(session.patients()[0].courses[0].plans[0].plan_id)
    beam = workspace.tools.propose(workspace.plan, workspace.plan.prescription.target_number)
    demo, beam = (
        attrs.evolve(beam, machine_name=p.machine.name, machine_digest=p.machine.digest,
                     model_digest=p.model(beam.energy_mev).digest)
        for p in (session.models.package("Demo linac"), package)
    )  # fmt: skip
    row = next(r for r in ROWS if r.field == "energy_mev")
    assert row.shown(workspace, demo) == f"{demo.energy_mev:g}  (demo)"
    assert row.shown(workspace, beam) == f"{demo.energy_mev:g}  (not released)"
    session.releases.release(package, WORDS)
    assert row.shown(workspace, beam) == f"{demo.energy_mev:g}  (released, version 1)"
    session.releases.withdraw(package.digest, "drifted")
    assert row.shown(workspace, beam) == f"{demo.energy_mev:g}  (withdrawn, version 1)"
    assert row.text(workspace, beam) == f"{demo.energy_mev:g}"  # what is edited is the energy alone
    workspace.close()


def test_a_demo_machine_cannot_be_signed(qtbot, session):
    machines = MachinesDialog(session)
    qtbot.addWidget(machines)
    dialog = machines.open_release()
    assert dialog.state.text() == "demo"
    assert "cannot be released" in dialog.message.text
    assert not dialog.sign_button.isEnabled()
    assert not dialog.words.isEnabled()
