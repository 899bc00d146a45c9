# ruff: noqa: PLC0415 - the environment is prepared before anything heavy is imported
"""Photographs of every page of the window, of the real program on a real site with the demo patient.

Usage::

    python installer/photograph.py OUT_DIR [--sizes 1920x1080 1366x768]

Each size runs in a process of its own on an Xvfb screen of that size; nothing of the person's own settings is used.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
USER, PASSWORD = "Dr. Lise Meitner", "Protactinium-91!"  # noqa: S105 - of a throw-away site
_STEP_MS = 40
_SETTLE_S = 0.4
_PATIENCE_S = 90.0
Condition = Callable[[], bool]


def main() -> None:
    """Start a screen and a process for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sizes", nargs="+", default=["1920x1080", "1366x768"])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.child:
        sys.exit(_child(options.out, options.child))
    for number, size in enumerate(options.sizes):
        _photograph(options.out.resolve(), size, 90 + number)


def _photograph(out: Path, size: str, display: int) -> None:
    with tempfile.TemporaryDirectory(prefix="ert-photograph-") as scratch:
        environment = {
            **os.environ,
            "DISPLAY": f":{display}",
            "QT_QPA_PLATFORM": "xcb",
            "QT_SCALE_FACTOR": "1",
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "ERT_PHOTOGRAPH_SCRATCH": scratch,
            **{f"XDG_{name}_HOME": f"{scratch}/{name.lower()}" for name in ("CONFIG", "DATA", "STATE")},
        }
        screen = subprocess.Popen(
            ["Xvfb", f":{display}", "-screen", "0", f"{size}x24", "-nolisten", "tcp"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for_screen(display)
            command = [sys.executable, str(Path(__file__).resolve()), str(out), "--child", size]
            subprocess.run(command, check=True, env=environment, cwd=scratch)
        finally:
            screen.terminate()
            screen.wait(10)


def _wait_for_screen(display: int) -> None:
    socket = Path(f"/tmp/.X11-unix/X{display}")  # noqa: S108 - where X servers put their sockets
    end_s = time.monotonic() + 10
    while not socket.exists():
        if time.monotonic() > end_s:
            raise SystemExit("Xvfb did not start; is it installed?")
        time.sleep(0.05)


# ---- one process -----------------------------------------------------------------------------------------------------


def _child(out: Path, size: str) -> int:
    from ert.main import Program, prepare_environment

    prepare_environment()
    from ert.ui.application import start

    scratch = Path(os.environ["ERT_PHOTOGRAPH_SCRATCH"])
    width, height = (int(n) for n in size.split("x"))
    kept: list[_Director] = []  # a timer alone does not keep the object whose method it calls

    def ready(window: Any) -> None:  # noqa: ANN401 - the main window
        window.setGeometry(0, 0, width, height)
        kept.append(_Director(window, out, size, scratch))

    return start(Program().gateway(), on_ready=ready)


class _Director:
    """Walks through the scenes; waits for what each needs, then takes the picture."""

    def __init__(self, window: Any, out: Path, size: str, scratch: Path) -> None:  # noqa: ANN401
        from PySide6.QtCore import QTimer

        self._window, self._out, self._size = window, out, size
        self._number = 0
        self._scenes = _scenes(window, scratch, self.picture)
        self._wait: Condition = next(self._scenes)
        self._since_s = time.monotonic()
        self._ready_s: float | None = None
        self._timer = QTimer(window)
        self._timer.timeout.connect(self._step)
        self._timer.start(_STEP_MS)

    def picture(self, name: str) -> None:
        """Photograph the screen."""
        self._number += 1
        path = self._out / f"{self._size}-{self._number:02d}-{name}.png"
        pixels = self._window.screen().grabWindow(0)
        if not pixels.save(str(path)):
            raise SystemExit(f"{path} cannot be written.")
        sys.stdout.write(f"{path}\n")
        sys.stdout.flush()

    def _step(self) -> None:
        now_s = time.monotonic()
        if not self._wait():
            self._ready_s = None
            if now_s - self._since_s > _PATIENCE_S:
                self.picture("waited-in-vain")
                self._timer.stop()
                os._exit(1)
            return
        self._ready_s = self._ready_s or now_s
        if now_s - self._ready_s < _SETTLE_S:
            return
        self._ready_s, self._since_s = None, now_s
        try:
            self._wait = next(self._scenes)
        except StopIteration:
            self._timer.stop()
            self._window.close()


def _always() -> bool:
    return True


def _dialog() -> Any:  # noqa: ANN401
    from PySide6.QtWidgets import QApplication

    return QApplication.activeModalWidget()


def _scenes(window: Any, scratch: Path, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    yield _always
    picture("sign-in")
    yield from _make_site(window, scratch, picture)
    yield lambda: window.patient_page is not None
    yield _always
    picture("empty-site")
    from ert.settings import resources_dir
    from ert.ui.site_dialogs import add_machine

    add_machine(window, window.session, resources_dir() / "demo_machine" / "package")
    yield lambda: window.session.has_demo_machine
    yield from _machines(window, picture)
    yield from _import(window, scratch, picture)
    picture("patients")
    yield from _backups(window, scratch, picture)
    yield from _new_plan(window, picture)
    yield from _plan(window, picture)


def _make_site(window: Any, scratch: Path, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    page = window.sign_in
    page.show_create()
    form = page.create_form
    form.folder.setText(str(scratch / "site"))
    form.name.setText("Radiotherapy, City Hospital")
    form.admin.setText(USER)
    form.password.setText("protactinium-91")
    yield _always
    picture("new-site")
    form.password.setText(PASSWORD)
    form.again.setText(PASSWORD)
    form.next.click()
    yield lambda: bool(form.code.text())
    picture("recovery-code")
    form.typed.setText(form.code.text())
    form.finish.click()


def _machines(window: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    window.machines_action.trigger()
    yield lambda: _dialog() is not None
    tabs = _dialog().tabs
    for index in range(tabs.count()):
        tabs.setCurrentIndex(index)
        yield _always
        picture(f"machines-{tabs.tabText(index).lower().replace(' ', '-')}")
    _dialog().close()
    yield lambda: _dialog() is None


def _import(window: Any, scratch: Path, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    from ert.dicom.demo_patient import build_demo_patient

    build_demo_patient(scratch / "dicom")
    window.patient_page.start_import()
    yield lambda: _dialog() is not None
    dialog = _dialog()
    picture("import-empty")
    dialog.start_scan([scratch / "dicom"])
    yield dialog.import_button.isEnabled
    picture("import-preview")
    dialog.start_import()
    yield lambda: _dialog() is None and window.patient_page.tree.model().rowCount() > 0


def _backups(window: Any, scratch: Path, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """The backups dialog empty, with two backups, one found damaged; the check of the site."""
    care = window.care
    care.backup_action.trigger()
    yield lambda: _dialog() is not None
    dialog = _dialog()
    picture("backups-empty")
    dialog.folder.setText(str(scratch / "backups"))
    for count in (1, 2):
        dialog.now_button.click()
        yield lambda: dialog.table.rowCount() >= count and not window.session.jobs.active()  # noqa: B023
    picture("backups")
    dialog.verify()
    yield lambda: "sound" in dialog.message.text
    picture("backup-sound")
    path = sorted((scratch / "backups" / "files").rglob("*.erte"))[0]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    dialog.verify()
    yield lambda: "damaged" in dialog.message.text
    picture("backup-damaged")
    dialog.reject()
    yield lambda: _dialog() is None
    care.choose_check()
    yield lambda: _dialog() is not None
    picture("check-levels")
    _dialog().submit()
    yield lambda: _dialog() is not None
    picture("check-result")
    _dialog().reject()
    yield lambda: _dialog() is None and not window.session.jobs.active()
    picture("patients-backed-up")


def _new_plan(window: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    window.patient_page.start_new_plan()
    yield lambda: _dialog() is not None
    dialog = _dialog()
    dialog.name.setText("Chest wall L")
    dialog.dose.setText("50")
    dialog.fractions.setText("25")
    yield _always
    picture("new-plan")
    dialog.submit()
    yield lambda: window.plan_page is not None


def _tissue(window: Any, tabs: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """Materials of structures, the CT curve editor with a refused cell, the material library."""
    workspace, panel = window.plan_page.workspace, window.plan_page.overrides
    tabs.setCurrentWidget(panel)
    for structure, material in (("Lung_L", "adipose"), ("PTV_Chestwall", "soft tissue")):
        panel.structure.setCurrentText(structure)
        panel.material.setCurrentText(material)
        panel.assign.click()
    yield lambda: workspace.dose.is_current and workspace.tissue_reviews.review is not None
    picture("plan-overrides")
    for action in (window.curves_action, window.materials_action):
        action.trigger()
        yield lambda: _dialog() is not None
        if action is window.curves_action:
            editor = _dialog().editor
            editor.name.setText("Big bore 120 kV")
            editor.scanner.setText("Big bore, room 2")
            picture("curve-new")
            editor.model.setData(editor.model.index(3, 2), "1.9")
            _dialog().submit()
            yield _always
            picture("curve-refused")
            editor.model.setData(editor.model.index(3, 2), "0.96")
            _dialog().submit()
            yield lambda: bool(window.session.library.curves)
        yield _always
        picture("curves" if action is window.curves_action else "materials")
        _dialog().reject()
        yield lambda: _dialog() is None
    window.plan_page.prescription.curve.setCurrentIndex(0)
    window.plan_page.prescription.curve.activated.emit(0)
    yield lambda: workspace.dose.is_current
    tabs.setCurrentWidget(window.plan_page.prescription)
    yield _always
    picture("plan-curve")
    for _ in range(3):
        workspace.undo()
    yield lambda: workspace.dose.is_current


def _monte_carlo(window: Any, tabs: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """Preview, final dose under way and done, its uncertainty as a map, the second check; on a coarse grid."""
    import attrs

    from ert.domain.plan import Algorithm

    page = window.plan_page
    workspace, engine = page.workspace, page.prescription.engine
    spec = attrs.evolve(workspace.plan.dose_grid, spacing_cm=0.6)
    workspace.apply("Coarse", lambda p: attrs.evolve(p, dose_grid=spec, uncertainty_pct=3.0))
    tabs.setCurrentWidget(page.prescription)
    engine.setCurrentIndex(engine.findData(Algorithm.MONTE_CARLO))
    engine.activated.emit(0)
    yield lambda: workspace.dose.status == "preview" and bool(workspace.shown_dvhs)
    picture("monte-carlo-preview")
    page.dose_bar.final.click()
    yield lambda: workspace.dose.is_current or workspace.dose.preview.uncertainty_pct is not None
    picture("monte-carlo-running")
    yield lambda: workspace.dose.is_current and bool(workspace.evaluation.bands)
    picture("monte-carlo-final")
    page.actions_.uncertainty.trigger()
    yield _always
    picture("monte-carlo-uncertainty")
    page.actions_.uncertainty.trigger()
    workspace.save()
    yield lambda: not workspace.is_dirty
    page.show_second_check()
    yield lambda: page.compare_window.comparison is not None
    yield _always
    picture("second-check")
    page.compare_window.close()
    for _ in range(2):
        workspace.undo()
    yield lambda: workspace.dose.is_current


def _plan(window: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    from ert.domain.plan import with_beam
    from ert.ui.dialogs import FaultDialog
    from ert.ui.help_dialogs import show_keys

    yield _always
    picture("plan-empty")
    workspace = window.plan_page.workspace
    beam = workspace.tools.propose(workspace.plan, workspace.plan.prescription.target_number)
    workspace.apply("Add beam", lambda plan: with_beam(plan, beam))
    yield lambda: workspace.dose.is_current and bool(workspace.dvhs)
    picture("plan")
    tabs = window.plan_page._tabs  # noqa: SLF001 - a photographer may look behind the curtain
    for index in range(1, tabs.count()):
        tabs.setCurrentIndex(index)
        yield _always
        picture(f"plan-{tabs.tabText(index).lower()}")
    yield from _tissue(window, tabs, picture)
    yield from _monte_carlo(window, tabs, picture)
    tabs.setCurrentIndex(0)
    page = window.plan_page
    page.state.set_crosshair((beam.isocentre_cm[0], beam.isocentre_cm[1] + 1.5, beam.isocentre_cm[2]))
    page.points.add_button.click()
    for panel, name in ((page.points, "points"), (page.monitor_units, "monitor-units")):
        yield lambda: workspace.dose.is_current and bool(workspace.dvhs)
        page.judgement.setCurrentWidget(panel)
        yield _always
        picture(f"plan-{name}")
    page.judgement.setCurrentIndex(0)
    from PySide6.QtCore import QTimer

    QTimer.singleShot(0, window, lambda: show_keys(window))
    yield lambda: _dialog() is not None
    picture("keys")
    _dialog().close()
    yield lambda: _dialog() is None
    fault = FaultDialog("F261124-0a1b2c", "ValueError", window)
    fault.open()
    yield lambda: _dialog() is not None
    picture("fault")
    fault.close()
    saved: list[bool] = []
    plan = workspace.plan
    workspace.save(lambda: saved.append(True))
    yield lambda: bool(saved)
    window.back_to_patients()
    yield lambda: window.plan_page is None
    yield _always
    picture("patients-with-plan")
    yield from _sum(window, plan, picture)


def _sum(window: Any, plan: Any, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """The plan and a copy of it added up."""
    patients, session = window.patient_page, window.session
    session.save_as_new(plan, "Boost")
    patients.refresh(select_course=plan.course_id)
    yield patients.sum_button.isEnabled
    patients.start_sum()
    yield lambda: _dialog() is not None
    picture("sum-choice")
    _dialog().submit()
    yield lambda: getattr(patients, "sum_window", None) is not None
    yield _always
    shown = patients.sum_window
    shown.resize(window.size())
    yield _always
    picture("sum")
    shown.close()


if __name__ == "__main__":
    main()
