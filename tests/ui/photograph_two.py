"""Photograph two running programs on one site: presence, a stale save, the conflict, the history, edits after a kill.

    .venv/bin/python tests/ui/photograph_two.py OUT [--size 1366x768] [--demo DIR]

Starts each program under an X server of its own (``xvfb-run``). OUT gets the pictures; what was timed is printed. DIR
is the folder of an earlier ``ert demo``, which is copied; without it a demo is made in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

FIRST, SECOND = ("demo", "Try-It-Out-42!"), ("Lise Meitner", "Protactinium-91!")


def add_second_user(site: Path) -> None:
    """A colleague with an account and a password of their own."""
    from ert.domain.account import Grant
    from ert.main import Program

    gateway = Program().gateway()
    store = gateway.open(site, user_name=FIRST[0], password=FIRST[1])
    store.accounts.add(SECOND[0], password="First-Time-1!", grant=Grant())
    store.close()
    store = gateway.open(site, user_name=SECOND[0], password="First-Time-1!")
    store.accounts.change_own_password("First-Time-1!", SECOND[1])
    store.close()


class Walker:
    """Walks one window through its part, one step after another, each once its condition holds."""

    def __init__(self, window, role: str, scratch: Path, out: Path, size: tuple[int, int]) -> None:
        self.window, self.role, self.scratch, self.out, self.size = window, role, scratch, out, size
        self.steps = getattr(self, f"walk_{role}")()

    def start(self) -> None:
        from PySide6.QtCore import QTimer

        self.window.resize(*self.size)
        self.window.move(0, 0)
        self.ready, self.pause_s, self.began_s = (lambda: True), 0.5, time.monotonic()
        self.timer = QTimer(self.window)
        self.timer.timeout.connect(self.tick)
        self.timer.start(20)

    def tick(self) -> None:
        waited_s = time.monotonic() - self.began_s
        if waited_s < self.pause_s or (not self.ready() and waited_s < 120):
            return
        if not self.ready():
            print("gave up waiting in", self.role, flush=True)
        try:
            self.ready, self.pause_s = next(self.steps)
            self.began_s = time.monotonic()
        except StopIteration:
            self.timer.stop()
            if self.window.plan_page is not None:
                self.window._close_plan_page(self.window.plan_page)
            self.window.close()

    def shoot(self, name: str) -> None:
        from PySide6.QtGui import QGuiApplication

        picture = QGuiApplication.primaryScreen().grabWindow(0, 0, 0, *self.size)
        path = self.out / f"{name}_{self.size[0]}.png"
        if not picture.save(str(path)):
            raise OSError(f"could not write {path}")
        print(path, flush=True)

    def tell(self, word: str) -> None:
        (self.scratch / word).touch()

    def told(self, word: str):
        return (self.scratch / word).exists

    @property
    def page(self):
        return self.window.plan_page

    def is_open(self) -> bool:
        return self.page is not None and self.page.workspace.dose.status == "current" and bool(self.page.workspace.dvhs)

    def open_plan(self):
        page = self.window.patient_page
        self.window.open_plan(page._rows[0].courses[0].plans[0].plan_id)

    def has_rows(self) -> bool:
        return self.window.patient_page is not None and bool(self.window.patient_page._rows)

    def edit_beam(self, label: str, **fields) -> None:
        import attrs

        def change(plan):
            return attrs.evolve(plan, beams=(attrs.evolve(plan.beams[0], **fields), *plan.beams[1:]))

        self.page.workspace.apply(label, change)

    def walk_first(self):
        yield self.has_rows, 0.3
        self.open_plan()
        yield self.is_open, 1.0
        self.page.keeper.autosave.is_on = False
        self.tell("first-open")
        yield (lambda: bool(self.page.keeper.others)), 0.6
        self.shoot("50_presence_first")
        self.page.message.clear()
        beam = self.page.workspace.plan.beams[0]
        self.edit_beam("Gantry", gantry_deg=beam.gantry_deg + 6)
        self.edit_beam("Weight", weight=1.25)
        yield self.is_open, 0.5
        self.page.workspace.save()
        yield (lambda: not self.page.workspace.is_dirty), 0.5
        self.shoot("51_saved_first")
        self.tell("first-saved")
        yield self.told("second-kept"), 0.1
        yield (lambda: "saved revision" in self.page.message.text), 0.5
        self.shoot("56_told_of_newer_first")
        self.page.actions_.newest.trigger()
        yield (lambda: self.page.keeper.dialog is not None), 0.6
        self.shoot("57_take_newest_first")
        self.page.keeper.dialog.take.click()
        yield self.is_open, 0.8
        self.tell("first-done")

    def walk_second(self):
        yield self.told("first-open"), 0.1
        yield self.has_rows, 0.3
        self.open_plan()
        yield self.is_open, 0.8
        self.page.keeper.autosave.is_on = False
        yield (lambda: bool(self.page.keeper.others)), 0.5
        self.shoot("50_presence_second")
        self.page.message.clear()
        beam = self.page.workspace.plan.beams[0]
        self.edit_beam("Gantry", gantry_deg=beam.gantry_deg - 4)
        self.edit_beam("Collimator", collimator_deg=90.0)
        yield self.told("first-saved"), 0.0
        self.page.keeper._seen_revision = 10**6  # only the save itself shall tell of it
        began_s = time.monotonic()
        self.page.workspace.save()
        yield (lambda: self.page.keeper.dialog is not None and self.page.keeper.dialog.isVisible()), 0.0
        print(f"conflict shown {1000 * (time.monotonic() - began_s):.0f} ms after the save", flush=True)
        yield (lambda: True), 0.7
        self.shoot("52_conflict_second")
        self.page.keeper.dialog.look.click()
        yield (lambda: bool(self.window.records.looks)), 3.0
        look = self.window.records.looks[0]
        look.resize(*self.size)
        look.move(0, 0)
        look.raise_()
        yield (lambda: bool(look.workspace.dvhs)), 1.5
        self.shoot("53_look_second")
        look.close()
        yield (lambda: not self.window.records.looks), 0.5
        self.page.keeper.dialog.keep.click()
        yield (lambda: not self.page.workspace.is_dirty), 0.8
        self.shoot("54_kept_on_top_second")
        self.tell("second-kept")
        self.window.records.history_action.trigger()
        dialog = self.window.records.history
        yield (lambda: dialog.changes.topLevelItemCount() > 0), 0.8
        self.shoot("55_history_second")
        dialog.tabs.setCurrentIndex(1)
        yield (lambda: True), 0.4
        self.shoot("55_activity_second")
        dialog.reject()
        yield self.told("first-done"), 0.1

    def walk_killed(self):
        yield self.has_rows, 0.3
        self.open_plan()
        yield self.is_open, 0.5
        self.page.keeper.autosave.is_on = False
        self.edit_beam("Energy", energy_mev=self.page.workspace.plan.beams[0].energy_mev, weight=0.8)
        self.edit_beam("Collimator of the beam", collimator_deg=15.0)
        yield (lambda: self.page.workspace.keeping.kept_at is not None), 0.5
        self.shoot("60_edited_and_kept")
        os.kill(os.getpid(), signal.SIGKILL)

    def walk_restored(self):
        yield (lambda: self.window.records.drafts is not None), 0.3
        dialog = self.window.records.drafts
        yield (lambda: dialog.changes.topLevelItemCount() > 0), 0.6
        self.shoot("61_offered")
        dialog.restore.click()
        yield self.is_open, 1.0
        self.page.keeper.autosave.is_on = False
        self.shoot("62_restored")


def play(role: str, site: Path, scratch: Path, out: Path, size: tuple[int, int]) -> int:
    """One program, in this process."""
    os.environ["XDG_CONFIG_HOME"] = str(scratch / f"config-{role}")
    os.environ["XDG_STATE_HOME"] = str(scratch / ("state-killed" if role == "restored" else f"state-{role}"))
    from ert.main import Program, prepare_environment

    prepare_environment()
    from ert.ui.application import start

    keep = []

    def ready(window) -> None:
        keep.append(Walker(window, role, scratch, out, size))
        keep[0].start()

    credentials = SECOND if role == "second" else FIRST
    return start(Program().gateway(), site=site, credentials=credentials, on_ready=ready)


def launch(role: str, site: Path, scratch: Path, out: Path, size: str) -> subprocess.Popen:
    """One program under an X server of its own."""
    screen = f"-screen 0 {size}x24"
    mine = [sys.executable, __file__, str(out), "--size", size, "--role", role, "--demo", str(site), "--scratch"]
    return subprocess.Popen(["xvfb-run", "-a", "-s", screen, *mine, str(scratch)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--demo", type=Path)
    parser.add_argument("--role")
    parser.add_argument("--scratch", type=Path)
    chosen = parser.parse_args()
    if chosen.role:
        width, height = map(int, chosen.size.split("x"))
        return play(chosen.role, chosen.demo, chosen.scratch, chosen.out, (width, height))
    chosen.out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="ert-two-"))
    os.environ["XDG_STATE_HOME"] = str(scratch / "state")  # what is known here of an earlier copy would refuse this one
    site = scratch / "demo" / "site"
    if chosen.demo is None:
        from ert.main import Program, prepare_environment

        prepare_environment()
        from ert.app.demo import run_demo

        run_demo(Program().gateway(), scratch / "demo")
    else:
        shutil.copytree(chosen.demo / "site", site)
    add_second_user(site)
    both = [launch("first", site, scratch, chosen.out, chosen.size)]
    time.sleep(1.0)  # two servers must not reach for one display number
    both.append(launch("second", site, scratch, chosen.out, chosen.size))
    codes = [program.wait(timeout=400) for program in both]
    launch("killed", site, scratch, chosen.out, chosen.size).wait(timeout=300)
    codes.append(launch("restored", site, scratch, chosen.out, chosen.size).wait(timeout=300))
    shutil.rmtree(scratch)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
