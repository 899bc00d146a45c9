"""The commissioning studio: real beam data, a real fit, files and a site that take what came of it."""

import pypdfium2
import pytest

from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.commissioning.package import read_package
from ert.settings import resources_dir
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.scans_dialog import ScansDialog
from ert.ui.studio_window import StudioWindow
from tests.quick_fit import make_fits_quick
from tests.ui import real_site
from tests.unit.commissioning.scans import writers
from tests.unit.commissioning.scans.beams import depth_dose, machine_toml, profiles, write

OPEN = "[scans]\nfield_size_is_open_applicator = true\n"
BEAM_DATA = resources_dir() / "demo_machine" / "beam_data"


@pytest.fixture
def session(qtbot, tmp_path):
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    it = SiteSession.open(
        real_site.gateway(), jobs, real_site.filled_site(tmp_path / "site"), user_name=real_site.USER,
        password=real_site.PASSWORD,
    )  # fmt: skip
    yield it
    it.close()
    jobs.shutdown()
    dispatcher.close()


@pytest.fixture
def studio(qtbot, session):
    window = StudioWindow(session)
    qtbot.addWidget(window)
    window.show()
    window.open_folder(BEAM_DATA)
    qtbot.waitUntil(lambda: bool(window.energies), timeout=10_000)
    return window


def choose(studio, *energies):
    for energy, tick in studio.energies.items():
        tick.setChecked(energy in energies)


def test_a_fit_is_watched_judged_kept_and_taken_into_the_site(studio, session, qtbot, tmp_path, monkeypatch):
    make_fits_quick(monkeypatch)
    assert sorted(studio.energies) == [6.0, 12.0, 20.0]
    assert not studio.save_button.isEnabled()
    steps = []
    stepped = studio._stepped
    studio._stepped = lambda: (steps.append(studio.studio.step), stepped())
    choose(studio, 6.0)
    studio.start_fit()
    assert studio.stop_button.isVisible()
    qtbot.waitUntil(lambda: studio.studio.result is not None, timeout=300_000)
    shown = [s.cost_per_point for s in steps if s is not None]
    assert shown == sorted(shown, reverse=True)
    assert studio.acceptance.rowCount() == 18
    cells = [[studio.acceptance.item(r, c).text() for c in range(7)] for r in range(18)]
    verdicts = {(row[0], row[3]): row[6] for row in cells}
    assert verdicts["8.1", "pencil beam"] == "passed"
    assert verdicts["8.1", "PBRA"] in {"passed", "failed"}  # judged, whatever it is
    assert verdicts["8.3", "pencil beam"] == "failed"  # half of the field under bolus: the step is beyond the algorithm
    assert verdicts["8.4", "PBRA"] == "not measured"  # the bone bar was irradiated at 12 MeV only
    names = [studio.curves.topLevelItem(0).child(n).text(0) for n in range(studio.curves.topLevelItem(0).childCount())]
    checked = [n for n, name in enumerate(names) if name.startswith("Bolus on half of the field, along")]
    assert len(checked) == 3
    assert studio.curves.topLevelItem(0).child(checked[0]).text(1).endswith("%")
    branch = studio.curves.topLevelItem(0)
    assert branch.child(0).text(1).endswith("%")
    assert studio.curves.topLevelItem(1).child(0).text(1) == ""
    studio.studio.save_report(tmp_path / "report.pdf", energy_mev=6.0)
    text = pypdfium2.PdfDocument(tmp_path / "report.pdf")[1].get_textpage().get_text_range()
    assert "6 MeV" in text
    assert "MPPG 5.b" in text
    studio.package_saved.connect(session.add_machine)
    studio.save_package(tmp_path / "machine", is_for_site=True)
    qtbot.waitUntil(lambda: len(session.machines()) == 2, timeout=10_000)
    assert session.machines()[1].digest == read_package(tmp_path / "machine").digest
    assert [m.energy_mev for m in session.machines()[1].models] == [6.0]


def test_a_stopped_fit_leaves_everything_as_it_was(studio, qtbot):
    studio.start_fit()
    qtbot.waitUntil(lambda: studio.studio.step is not None, timeout=60_000)
    studio.stop_button.click()
    qtbot.waitUntil(lambda: not studio.studio.is_busy, timeout=30_000)
    assert "stopped" in studio.message.text
    assert studio.studio.result is None
    assert studio.fit_button.isEnabled()


def test_what_cannot_be_read_is_told_and_nothing_is_lost(studio, qtbot, tmp_path):
    studio.open_folder(tmp_path)
    qtbot.waitUntil(lambda: bool(studio.message.text), timeout=10_000)
    assert "beam_data.toml" in studio.message.text
    assert studio.studio.data is not None
    choose(studio)
    studio.start_fit()
    assert "Tick at least one" in studio.message.text


def test_scanner_files_are_assembled_and_opened(studio, qtbot, tmp_path):
    studio.open_scans()
    dialog = studio.findChild(ScansDialog)
    dialog.start()
    assert dialog.message.text == "Choose first: Scanner files, Machine file, Beam data folder."
    write(tmp_path / "scans", ptw_mcc=writers.mcc([depth_dose(12), *profiles(12)]), odd_asc="no scan at all")
    (tmp_path / "linac.toml").write_text(machine_toml(more=OPEN), encoding="utf-8")
    for line, name in ((dialog.scans, "scans"), (dialog.machine, "linac.toml"), (dialog.out, "data")):
        line.setText(str(tmp_path / name))
    dialog.start()
    qtbot.waitUntil(lambda: bool(dialog.message.text), timeout=30_000)
    assert dialog.message.text.startswith("Written:")
    states = [dialog.table.item(row, 7).text() for row in range(dialog.table.rowCount())]
    assert states[0] == "refused"
    assert "read" in states
    qtbot.waitUntil(lambda: list(studio.energies) == [12.0], timeout=10_000)
    assert studio.source.text() == str(tmp_path / "data")
