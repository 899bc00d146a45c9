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

from photograph_plan import Condition, at_once, new_plan_scenes, plan_scenes, top_dialog

ROOT = Path(__file__).resolve().parent.parent
USER, PASSWORD = "Dr. Lise Meitner", "Protactinium-91!"  # noqa: S105 - of a throw-away site
_STEP_MS = 40
_SETTLE_S = 0.4
_PATIENCE_S = 90.0


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


def _scenes(window: Any, scratch: Path, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    yield at_once
    picture("sign-in")
    yield from _make_site(window, scratch, picture)
    yield lambda: window.patient_page is not None
    yield at_once
    picture("empty-site")
    from ert.settings import resources_dir
    from ert.ui.site_dialogs import add_machine

    add_machine(window, window.session, resources_dir() / "demo_machine" / "package")
    yield lambda: window.session.has_demo_machine
    yield from _machines(window, picture)
    yield from _import(window, scratch, picture)
    picture("patients")
    yield from _backups(window, scratch, picture)
    yield from new_plan_scenes(window, picture)
    yield from plan_scenes(window, picture)


def _make_site(window: Any, scratch: Path, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    page = window.sign_in
    page.show_create()
    form = page.create_form
    form.folder.setText(str(scratch / "site"))
    form.name.setText("Radiotherapy, City Hospital")
    form.admin.setText(USER)
    form.password.setText("protactinium-91")
    yield at_once
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
    yield lambda: top_dialog() is not None
    tabs = top_dialog().tabs
    for index in range(tabs.count()):
        tabs.setCurrentIndex(index)
        yield at_once
        picture(f"machines-{tabs.tabText(index).lower().replace(' ', '-')}")
    top_dialog().close()
    yield lambda: top_dialog() is None


def _import(window: Any, scratch: Path, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    from ert.dicom.demo_patient import build_demo_patient

    build_demo_patient(scratch / "dicom")
    window.patient_page.start_import()
    yield lambda: top_dialog() is not None
    dialog = top_dialog()
    picture("import-empty")
    dialog.start_scan([scratch / "dicom"])
    yield dialog.import_button.isEnabled
    picture("import-preview")
    dialog.start_import()
    yield lambda: top_dialog() is None and window.patient_page.tree.model().rowCount() > 0


def _backups(window: Any, scratch: Path, picture: Callable[[str], None]) -> Iterator[Condition]:  # noqa: ANN401
    """The backups dialog empty, with two backups, one found damaged; the check of the site."""
    care = window.care
    care.backup_action.trigger()
    yield lambda: top_dialog() is not None
    dialog = top_dialog()
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
    yield lambda: top_dialog() is None
    care.choose_check()
    yield lambda: top_dialog() is not None
    picture("check-levels")
    top_dialog().submit()
    yield lambda: top_dialog() is not None
    picture("check-result")
    top_dialog().reject()
    yield lambda: top_dialog() is None and not window.session.jobs.active()
    picture("patients-backed-up")


if __name__ == "__main__":
    main()
