r"""Photograph the dialogs of a site's administration in the real program, to be looked at by a person.

    xvfb-run -a -s "-screen 0 1366x768x24" .venv/bin/python tests/ui/photograph_dialogs.py OUT --demo DIR \
        [--size 1366x768]

DIR is the folder of an earlier ``ert demo``; it is copied. OUT gets one PNG a dialog.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.ui.photograph import Photographer

PASSWORD = "Try-It-Out-42!"
STATEMENT = "Checked against tank scans of 2026-02; oblique fields were not measured and are not to be planned."


def second_patient(session) -> None:
    """The demo patient again, as a record of their own: somebody was registered twice."""
    import attrs

    from ert.app.jobs import Lane
    from ert.domain.identity import new_id

    def work() -> None:
        store = session.store.patients
        who = store.patients()[0]
        course = store.courses(who.id)[0]
        ct, contours = store.image(course.image_id), store.structure_set(course.structure_set_id)
        files = tuple(store.ct_files(ct.id))
        other = attrs.evolve(who, id=new_id(), medical_record_number="ERT-DEMO-7", given_name="CHEST-WALL")
        image = attrs.evolve(ct, id=new_id(), series_instance_uid=f"{ct.series_instance_uid}.7")
        structures = attrs.evolve(contours, id=new_id(), sop_instance_uid=f"{contours.sop_instance_uid}.7")
        added = attrs.evolve(
            course, id=new_id(), patient_id=other.id, image_id=image.id, structure_set_id=structures.id, name="Course 2"
        )
        store.add_import(patient=other, course=added, image=image, structures=structures, ct_files=files)

    session.jobs.call(Lane.DB, work)


class DialogPhotographer(Photographer):
    """Walks through the dialogs."""

    def walk(self):
        sign_in, window = self.window.sign_in, self.window
        sign_in.show_sign_in(self.demo / "site")
        sign_in.user.setText("demo")
        sign_in.password.setText(PASSWORD)
        yield (lambda: True), 0.5
        sign_in.submit()
        yield self.has_rows, 0.6
        second_patient(window.session)
        window.patient_page.refresh()
        yield (lambda: len(window.patient_page._rows) == 2), 0.8
        self.shoot("40_two_records")
        yield from self.walk_records()
        yield from self.walk_keys()
        yield from self.walk_release()
        yield from self.walk_history()
        yield from self.walk_care()
        yield from self.walk_studio()

    def has_rows(self) -> bool:
        page = self.window.patient_page
        return page is not None and bool(page._rows) and page._rows[0].is_complete

    def dialog(self):
        from PySide6.QtWidgets import QApplication

        return QApplication.activeModalWidget()

    def is_open(self) -> bool:
        return self.dialog() is not None

    def is_closed(self) -> bool:
        return self.dialog() is None and not self.window.session.jobs.active()

    def walk_records(self):
        page = self.window.patient_page
        actions = page.record_actions
        for name, action in (("correct", actions.correct), ("merge", actions.merge), ("inactive", actions.state)):
            page.tree.setCurrentIndex(page.model.index(1, 0))
            action.trigger()
            yield self.is_open, 0.6
            self.shoot(f"41_{name}")
            if name == "correct":
                self.dialog().submit()
                yield (lambda: True), 0.4
                self.shoot("41_correct_refused")
            if name == "merge":
                break
            self.dialog().reject()
            yield self.is_closed, 0.2
        dialog = self.dialog()
        dialog.table.selectRow(0)
        dialog.accept_differences.setChecked(True)
        dialog.reason.setText("Registered twice on 2026-03-02")
        yield (lambda: True), 0.4
        self.shoot("42_merge_chosen")
        dialog.submit()
        yield (lambda: self.dialog() is None and len(page._rows) == 1), 0.8
        self.shoot("42_merged")
        for name, action in (
            ("unmerge", actions.unmerge),
            ("inactive", actions.state),
            ("anonymise", actions.anonymise),
        ):
            page.tree.setCurrentIndex(page.model.index(0, 0))
            action.trigger()
            yield self.is_open, 0.6
            self.shoot(f"43_{name}")
            self.dialog().reject()
            yield self.is_closed, 0.2

    def walk_keys(self):
        self.window.keys_action.trigger()
        yield self.is_open, 0.8
        self.shoot("44_keys")
        self.dialog().reject()
        yield self.is_closed, 0.3

    def walk_release(self):
        from ert.commissioning.package import write_package
        from ert.ui.machines_dialog import MachinesDialog
        from tests.ui.test_release_dialog import clinical

        window = self.window
        folder = self.scratch / "clinical"
        write_package(folder, clinical(origin="measured 2026-02"))
        window.session.add_machine(folder)
        window.machines_action.trigger()
        yield (lambda: window.findChild(MachinesDialog) is not None), 0.6
        machines = window.findChild(MachinesDialog)
        machines.refresh("Linac 1")
        yield (lambda: True), 0.4
        self.shoot("45_machines")
        release = machines.open_release()
        yield (lambda: True), 0.6
        self.shoot("46_release")
        release.words.setPlainText(STATEMENT)
        release.password.setText(PASSWORD)
        release.accept_short.setChecked(True)
        release.sign_button.click()
        yield (lambda: "was released" in release.message.text), 0.6
        self.shoot("46_released")
        release.words.setPlainText("Output drifted by 2 % after the exchange of the chamber.")
        release.password.setText(PASSWORD)
        release.withdraw_button.click()
        yield (lambda: "withdrawn" in release.message.text), 0.4
        release.tabs.setCurrentIndex(2)
        yield (lambda: True), 0.5
        self.shoot("46_withdrawn")
        release.reject()
        machines.reject()
        yield self.is_closed, 0.3

    def walk_history(self):
        import attrs

        window = self.window
        courses = window.patient_page._rows[0].courses
        window.open_plan(next(plan.plan_id for course in courses for plan in course.plans))
        yield (lambda: window.plan_page is not None and window.plan_page.workspace.dose.status == "current"), 2.0
        workspace = window.plan_page.workspace
        window.plan_page.keeper.autosave.is_on = False
        first = workspace.plan.beams[0]

        def changed(plan):
            beam = attrs.evolve(first, gantry_deg=first.gantry_deg + 3, collimator_deg=45.0, weight=0.9)
            return attrs.evolve(plan, description="Boost to be added after the review", beams=(beam, *plan.beams[1:]))

        workspace.apply("Gantry, collimator, weight", changed)
        yield (lambda: workspace.dose.status == "current"), 0.5
        workspace.save()
        yield (lambda: not workspace.is_dirty), 0.6
        window.records.history_action.trigger()
        dialog = window.records.history
        yield (lambda: dialog.changes.topLevelItemCount() > 0), 0.8
        self.shoot("47_history")
        dialog.reject()
        window.back_to_patients()
        yield (lambda: window.plan_page is None), 0.5
        window.records.activity_action.trigger()
        yield self.is_open, 0.8
        self.shoot("47_activity")
        self.dialog().reject()
        yield self.is_closed, 0.2

    def walk_care(self):
        from ert.ui.password_rule_dialog import PasswordRuleDialog

        window = self.window
        window.care.choose_check()
        yield self.is_open, 0.5
        self.shoot("48_check")
        self.dialog().submit()
        yield self.is_open, 0.6
        self.shoot("48_checked")
        self.dialog().reject()
        yield self.is_closed, 0.2
        for name, action in (("backups", window.care.backups_action), ("users", window.control.users_action)):
            action.trigger()
            yield self.is_open, 0.8
            self.shoot(f"49_{name}")
            if name == "users":
                self.dialog().rule.click()
                yield (lambda: isinstance(self.dialog(), PasswordRuleDialog)), 0.6
                self.shoot("49_password_rule")
                self.dialog().reject()
                yield (lambda: not isinstance(self.dialog(), PasswordRuleDialog)), 0.3
            self.dialog().reject()
            yield self.is_closed, 0.2
        window.machines_action.trigger()
        yield self.is_open, 0.4
        self.dialog().reject()
        yield self.is_closed, 0.2

    def walk_studio(self):
        from ert.settings import resources_dir
        from ert.ui.studio_window import StudioWindow

        self.window.studio_action.trigger()
        yield (lambda: self.window.findChild(StudioWindow) is not None), 0.6
        studio = self.window.findChild(StudioWindow)
        self.shoot("50_studio_empty")
        studio.open_folder(resources_dir() / "demo_machine" / "beam_data")
        yield (lambda: bool(studio.energies)), 0.8
        self.shoot("51_studio_measured")
        for tick in (studio._ticks.itemAt(n).widget() for n in range(1, len(studio.energies))):
            tick.setChecked(False)
        studio.start_fit()
        yield (lambda: bool(studio.progress_text.text())), 1.0
        self.shoot("52_studio_fitting")
        studio.stop_button.click()
        yield (lambda: bool(studio.message.text)), 0.6
        self.shoot("53_studio_stopped")
        studio.close()
        yield (lambda: True), 0.3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--demo", type=Path, required=True)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="ert-photos-"))
    for kind in ("CONFIG", "STATE"):
        os.environ[f"XDG_{kind}_HOME"] = str(scratch / kind.lower())
    shutil.copytree(chosen.demo, scratch / "demo")
    from ert.main import Program, prepare_environment

    prepare_environment()
    from ert.ui.application import start

    width, height = map(int, chosen.size.split("x"))
    keep: list[DialogPhotographer] = []

    def ready(window) -> None:
        keep.append(DialogPhotographer(window, chosen.out, (width, height), scratch / "demo", scratch))
        keep[0].start()

    code = start(Program().gateway(), on_ready=ready)
    shutil.rmtree(scratch)
    return code


if __name__ == "__main__":
    sys.exit(main())
