"""Photograph every page of the real program on a demo site, to be looked at by a person.

    xvfb-run -a -s "-screen 0 1920x1080x24" .venv/bin/python tests/ui/photograph.py OUT [--size 1366x768] [--demo DIR]

OUT gets one PNG a page. DIR is the folder of an earlier ``ert demo``; without it a demo is made in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

Step = Callable[[], object]


class Photographer:
    """Walks through the window, one step after another, each once its condition holds."""

    def __init__(self, window, out: Path, size: tuple[int, int], demo: Path, scratch: Path) -> None:
        self.window, self.out, self.size, self.demo, self.scratch = window, out, size, demo, scratch
        self.steps: Iterator[tuple[Callable[[], bool], float]] = self.walk()
        self.deadline_s = 0.0

    def start(self) -> None:
        from PySide6.QtCore import QTimer

        self.window.resize(*self.size)
        self.window.move(0, 0)
        self.timer = QTimer(self.window)
        self.timer.timeout.connect(self.tick)
        self.ready, self.pause_s = (lambda: True), 0.6
        self.began_s = time.monotonic()
        self.timer.start(50)

    def tick(self) -> None:
        waited_s = time.monotonic() - self.began_s
        if waited_s < self.pause_s or (not self.ready() and waited_s < 90):
            return
        if not self.ready():
            print("gave up waiting before", self.out)
        try:
            self.ready, self.pause_s = next(self.steps)
            self.began_s = time.monotonic()
        except StopIteration:
            self.timer.stop()
            page = self.window.plan_page
            if page is not None:
                page.workspace.undo()
                page.workspace.redo()
                self.window._close_plan_page(page)
            self.window.close()

    def shoot(self, name: str) -> None:
        from PySide6.QtGui import QGuiApplication

        screen = QGuiApplication.primaryScreen()
        picture = screen.grabWindow(0, 0, 0, *self.size)
        if picture.isNull() or os.environ.get("QT_QPA_PLATFORM") == "offscreen":
            picture = self.window.grab()
        path = self.out / f"{name}_{self.size[0]}.png"
        if not picture.save(str(path)):
            raise OSError(f"could not write {path}")
        print(path)

    def walk(self):
        window = self.window
        yield (lambda: True), 0.8
        self.shoot("01_sign_in")
        form = window.sign_in.create_form
        window.sign_in.show_create()
        form.folder.setText(str(self.scratch / "new-site"))
        form.name.setText("Radiotherapy, City Hospital")
        form.admin.setText("m.curie")
        form.password.setText("Radium-18")
        yield (lambda: True), 0.4
        self.shoot("02_new_site")
        form.server.is_wanted.setChecked(True)
        form.server.address.setText("mysql://db.clinic.example/ert")
        form.password.setText("Radium-1898!")
        form.again.setText("Radium-1898!")
        form.next.click()
        yield (lambda: bool(form.message.text)), 0.4
        self.shoot("02_new_site_on_server")
        form.server.is_wanted.setChecked(False)
        form.password.setText("Radium-1898!")
        form.again.setText("Radium-1898!")
        form.next.click()
        yield (lambda: bool(form.code.text())), 0.4
        self.shoot("03_recovery_code")
        form.cancel()
        sign_in = window.sign_in
        sign_in.site.setText(str(self.demo / "site"))
        sign_in.user.setText("demo")
        sign_in.password.setText("wrong")
        sign_in.submit()
        yield (lambda: bool(sign_in.message.text)), 0.4
        self.shoot("04_wrong_password")
        sign_in.password.setText("Try-It-Out-42!")
        sign_in.submit()
        yield (lambda: window.patient_page is not None and window.patient_page.tree.model().rowCount() > 0), 0.6
        self.shoot("05_patients")
        yield from self.walk_users()
        yield from self.walk_import()
        yield from self.walk_plan()
        yield from self.walk_settings()

    def walk_users(self):
        from PySide6.QtWidgets import QApplication

        from ert.ui.users_dialog import UsersDialog

        window, control = self.window, self.window.control
        control.users_action.trigger()
        dialog = window.findChild(UsersDialog)
        yield (lambda: dialog.table.rowCount() > 0 and not dialog._is_busy), 0.3
        for name, level, is_administrator in (
            ("anna.bauer", 0, False),
            ("k.lindqvist", 2, True),
            ("r.okafor", 1, False),
        ):
            dialog.begin_new()
            dialog.form.name.setText(name)
            dialog.form.level.setCurrentIndex(level)
            for box in list(dialog.form.features.values())[: level + 1]:
                box.setChecked(level > 0)
            dialog.form.is_administrator.setChecked(is_administrator)
            dialog.submit()
            yield (lambda name=name: name in dialog.message.text and not dialog._is_busy), 0.4
        self.shoot("05_users_added")
        row = next(n for n in range(dialog.table.rowCount()) if dialog.table.item(n, 0).text() == "k.lindqvist")
        dialog.table.setCurrentCell(row, 0)
        yield (lambda: True), 0.2
        dialog.switch_account()
        yield (lambda: "cannot sign in" in dialog.message.text and not dialog._is_busy), 0.4
        self.shoot("05_users_disabled")
        dialog.reject()
        control.change_password()
        yield (lambda: QApplication.activeModalWidget() is not None), 0.4
        self.shoot("05_change_password")
        QApplication.activeModalWidget().reject()
        control.lock("Nobody touched keyboard or mouse for 15 minutes.")
        yield (lambda: True), 0.5
        self.shoot("05_locked")
        control.screen.password.setText("wrong")
        control.screen.submit()
        yield (lambda: "wrong" in control.screen.message.text.lower()), 0.4
        self.shoot("05_locked_refused")
        control.screen.password.setText("Try-It-Out-42!")
        control.screen.submit()
        yield (lambda: not control.is_locked), 0.4

    def walk_import(self):
        from ert.ui.import_dialog import ImportDialog

        window = self.window
        dialog = ImportDialog(window.session, window)
        dialog.open()
        yield (lambda: True), 0.3
        dialog.start_scan([self.demo / "patient"])
        yield (lambda: dialog._preview is not None), 0.5
        self.shoot("06_import")
        dialog.start_scan([self.demo / "patient", incomplete_copy(self.demo / "patient", self.demo / "incomplete")])
        yield (lambda: dialog._preview is not None and dialog._job is None), 0.6
        self.shoot("06_import_findings")
        dialog.reject()
        page = window.patient_page
        index = page.model.index(0, 0)
        page.tree.setCurrentIndex(page.model.index(0, 0, index))
        page.start_new_plan()
        from ert.ui.new_plan_dialog import NewPlanDialog

        yield (lambda: page.findChild(NewPlanDialog) is not None), 0.5
        asking = page.findChild(NewPlanDialog)
        asking.dose.setText("50,4")
        asking.fractions.setText("28")
        yield (lambda: True), 0.3
        self.shoot("07_new_plan")
        asking.reject()

    def walk_settings(self):
        from ert.ui.settings_dialog import SettingsDialog

        self.window.settings_action.trigger()
        dialog = self.window.findChild(SettingsDialog)
        yield (lambda: not dialog.is_busy), 0.5
        self.shoot("30_settings")
        dialog.network.folder.setText("share/doses")
        dialog.submit()
        yield (lambda: True), 0.3
        self.shoot("31_settings_refused")
        dialog.network.folder.setText("/nowhere/share")
        dialog.submit()
        yield (lambda: not dialog.is_busy), 0.5
        self.window.settings_action.trigger()
        dialog = self.window.findChildren(SettingsDialog)[-1]
        yield (lambda: not dialog.is_busy), 0.5
        self.shoot("32_settings_network_away")
        dialog.reject()

    def walk_plan(self):
        window = self.window
        page = window.patient_page
        plan_id = page._rows[0].courses[0].plans[0].plan_id
        window.open_plan(plan_id)

        def is_computed() -> bool:
            plan_page = window.plan_page
            return (
                plan_page is not None
                and plan_page.workspace.dose.status == "current"
                and bool(plan_page.workspace.dvhs)
            )

        yield is_computed, 2.5
        self.shoot("10_plan")
        for menu in (m for m in window.menuBar().actions() if m.text() in ("&Site", "&Plan", "&Edit", "&View")):
            menu.menu().popup(window.menuBar().mapToGlobal(window.menuBar().actionGeometry(menu).bottomLeft()))
            yield (lambda: True), 0.4
            self.shoot(f"10_menu_{menu.text()[1:].lower()}")
            menu.menu().close()
        plan = window.plan_page
        for number, name in ((1, "structures"), (2, "materials"), (3, "isodoses"), (4, "prescription")):
            plan.show_tab(number)
            yield (lambda: True), 0.4
            self.shoot(f"1{number}_{name}")
        plan.prescription.normalisation.setCurrentIndex(2)
        plan.prescription._set_normalisation("POINT")
        yield (lambda: True), 0.3
        self.shoot("13_no_point")
        plan.prescription.new_point.click()
        plan.prescription._set_normalisation("POINT")
        yield is_computed, 0.8
        self.shoot("13_point")
        plan.workspace.undo()
        plan.workspace.undo()
        self.add_goals(plan)
        plan.show_tab(0)
        yield is_computed, 3.0
        self.shoot("13_goals")
        plan.show_tab(0)
        plan.judgement.setCurrentWidget(plan.monitor_units)
        yield (lambda: True), 0.4
        self.shoot("13_monitor_units")
        plan.judgement.setCurrentIndex(0)
        plan.views.maximise(plan.views.slices[2])
        yield (lambda: True), 0.6
        self.shoot("14_axial")
        plan.views.maximise(plan.views.view_3d)
        yield (lambda: True), 1.2
        self.shoot("15_3d")
        plan.views.maximise(plan.views.beam_eye)
        yield (lambda: True), 0.6
        self.shoot("16_beams_eye")
        plan.views.maximise(None)
        plan.state.toggle_unit()
        yield (lambda: True), 0.8
        self.shoot("17_gy")
        plan.state.toggle_unit()
        window.show_palette()
        yield (lambda: True), 0.5
        self.shoot("18_palette")
        from ert.ui.command_palette import CommandPalette

        window.findChild(CommandPalette).reject()
        model = plan.beams.model
        row = next(
            n for n, r in enumerate(__import__("ert.ui.beam_table", fromlist=["ROWS"]).ROWS) if r.field == "gantry_deg"
        )
        model.setData(model.index(row, 0), "abc")
        # Another angle each time: this workstation's cache would give the dose of the last run at once.
        model.setData(model.index(row, 0), f"{plan.workspace.plan.beams[0].gantry_deg + random.uniform(9, 15):.1f}")
        yield (lambda: plan.workspace.dose.status == "computing"), 0.12
        self.shoot("19_out_of_date")
        yield is_computed, 1.5
        self.shoot("20_recomputed")
        yield from self.walk_dialogs(plan)

    def add_goals(self, plan) -> None:
        import attrs

        from ert.domain.plan import Goal

        numbers = {s.name: s.number for s in plan.workspace.structures.structures}
        goals = (
            Goal(structure_number=numbers["PTV_Chestwall"], metric="D95%", comparison=">=", value=47.5, unit="Gy"),
            Goal(structure_number=numbers["Lung_L"], metric="V20Gy", comparison="<=", value=30.0, unit="%"),
            Goal(structure_number=numbers["Heart"], metric="Mean", comparison="<=", value=20.0, unit="Gy"),
        )
        plan.workspace.apply("Goals", lambda p: attrs.evolve(p, goals=goals))

    def walk_dialogs(self, plan):
        from PySide6.QtCore import QTimer
        from PySide6.QtWidgets import QApplication

        from ert.errors import StaleRevision
        from ert.ui.dialogs import AboutDialog, FaultDialog, FindingsDialog, ask_unsaved
        from ert.ui.goal_dialog import GoalDialog
        from ert.ui.help_dialogs import show_keys

        window, workspace = self.window, plan.workspace
        keeping = workspace.keeping
        stored, keeping.stored = keeping.stored, __import__("attrs").evolve(keeping.stored, revision=1)
        workspace.save()
        yield (lambda: isinstance(workspace.save_error, StaleRevision)), 0.5
        self.shoot("21_not_saved")
        yield (lambda: QApplication.activeModalWidget() is not None), 0.3
        self.shoot("21_conflict")
        QApplication.activeModalWidget().reject()
        yield (lambda: QApplication.activeModalWidget() is None), 0.2
        keeping.stored = stored
        window.care.check(4)
        yield (lambda: isinstance(QApplication.activeModalWidget(), FindingsDialog)), 0.5
        self.shoot("22_site_check")
        QApplication.activeModalWidget().reject()
        for name, show in (
            ("23_unsaved", lambda: ask_unsaved(window, workspace.plan.name)),
            ("24_keys", lambda: show_keys(window)),
            ("25_about", lambda: AboutDialog(window).open()),
            ("26_goal", lambda: GoalDialog(workspace.structures, window).open()),
            ("27_fault", lambda: FaultDialog("F261124-0a1b2c", "ValueError", window).open()),
        ):
            QTimer.singleShot(0, window, show)
            yield (lambda: QApplication.activeModalWidget() is not None), 0.4
            self.shoot(name)
            QApplication.activeModalWidget().close()
            yield (lambda: QApplication.activeModalWidget() is None), 0.2
        workspace.save()
        yield (lambda: workspace.save_error is None and not workspace.is_dirty), 0.5
        self.shoot("28_saved")


def incomplete_copy(source: Path, out: Path) -> Path:
    """The demo patient under another name, with a slice missing: a series that must be refused."""
    import pydicom
    from pydicom.uid import generate_uid

    uids: dict[str, str] = {}
    out.mkdir(parents=True)
    for number, path in enumerate(sorted(source.rglob("*.dcm"))):
        dataset = pydicom.dcmread(path)
        if dataset.Modality != "CT" or number == 30:
            continue
        dataset.PatientName, dataset.PatientID = "DEMO^INCOMPLETE", "ERT-DEMO-2"
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
            setattr(dataset, keyword, uids.setdefault(str(dataset[keyword].value), generate_uid()))
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(out / path.name)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--demo", type=Path)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="ert-photos-"))
    for kind in ("CONFIG", "STATE"):  # what this workstation knows of an earlier copy of the site would refuse this one
        os.environ[f"XDG_{kind}_HOME"] = str(scratch / kind.lower())
    from ert.main import Program, prepare_environment

    prepare_environment()
    gateway = Program().gateway()
    demo = scratch / "demo"
    if chosen.demo is None:
        from ert.app.demo import run_demo

        run_demo(gateway, demo)
    else:
        shutil.copytree(chosen.demo, demo)
    width, height = map(int, chosen.size.split("x"))
    from ert.ui.application import start

    keep: list[Photographer] = []

    def ready(window) -> None:
        keep.append(Photographer(window, chosen.out, (width, height), demo, scratch))
        keep[0].start()

    return start(gateway, site=demo / "site", on_ready=ready)


if __name__ == "__main__":
    sys.exit(main())
