"""How a large site feels: opening it, the list of patients, searching it, saving a plan, and how much a save adds.

    python benchmarks/site_size.py --patients 10000 --plans 50000 [--site DIR]

Records are written as the program writes them (cells, codes, history), without voxels and contours: nothing of a list
may read those. Prints one JSON object; times are of one run on this computer, on the wall and of the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="ert-size-config-")

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ert.app.jobs import Jobs
from ert.domain.identity import new_id
from ert.domain.patient import Course
from ert.storage import documents, schema
from ert.storage.patient_records import document_cell, mrn_index
from ert.storage.records import Records
from ert.ui.application import make_application, spare_collector
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.main_window import MainWindow
from tests.integration.storage import samples

_IN_ONE = 250
_SLICES = 120
_SOUGHT = "mi-00012"
_PAUSE_S = 0.12  # between letters


def fill(records: Records, *, patients: int, plans: int) -> None:
    """Write the rows of a large site."""
    for start in range(0, patients, _IN_ONE):
        with records.transaction() as connection:
            for number in range(start, min(start + _IN_ONE, patients)):
                _add_patient(records, connection, number, plans * (number + 1) // patients - plans * number // patients)


def _add_patient(records: Records, connection: Any, number: int, plans: int) -> None:  # noqa: ANN401
    family = f"{_word(number)}-{number:05d}"
    who = attrs.evolve(samples.patient(f"MRN{number:06d}"), id=new_id(), family_name=family)
    row = {
        "uuid": who.id,
        "document_ct": document_cell(records, who, is_active=True),
        "mrn_bi": mrn_index(records, who),
    }
    _insert(records, connection, schema.patient, row | {"merged_into": None})
    uids = tuple(f"1.2.826.0.1.3680043.8.498.{number}.{k}" for k in range(_SLICES))
    ct = attrs.evolve(samples.image(), id=new_id(), series_instance_uid=f"1.2.{number}", sop_instance_uids=uids)
    cell = records.encrypt_document("ct_image", documents.to_content(ct, omit=["hu"]), table=schema.image, row_id=ct.id)
    row = {"uuid": ct.id, "patient": who.id, "digest": "ab" * 32, "document_ct": cell}
    _insert(records, connection, schema.image, row | {"series_bi": records.guard.blind_index("image.series", ct.id)})
    sets = schema.structure_set
    sop = records.guard.blind_index("structure_set.sop", ct.id)
    set_id = new_id()
    _insert(records, connection, sets, {"uuid": set_id, "image": ct.id, "sop_bi": sop})
    content = {
        "id": set_id, "label": "Plan structures", "frame_of_reference_uid": "1.2.3", "sop_instance_uid": "1.2.4",
        "series_instance_uid": "", "structures": [],
    }  # fmt: skip
    revision = new_id()
    cell = records.encrypt_document("structure_set", content, table=schema.structure_set_revision, row_id=revision)
    records.insert(
        connection,
        schema.structure_set_revision,
        {"uuid": revision, "structure_set": set_id, "saved_by": records.actor, "document_ct": cell},
    )
    course = Course(patient_id=who.id, name="Course 1", image_id=ct.id, structure_set_id=set_id)
    cell = records.encrypt_document("course", documents.to_content(course), table=schema.course, row_id=course.id)
    row = {"uuid": course.id, "patient": who.id, "image": ct.id, "structure_set": set_id, "document_ct": cell}
    _insert(records, connection, schema.course, row)
    for n in range(plans):
        _add_plan(records, connection, course, n)


def _add_plan(records: Records, connection: Any, course: Course, n: int) -> None:  # noqa: ANN401
    plan = attrs.evolve(samples.plan_of(course), name=f"Plan {n + 1}")
    head = {"state": "DRAFT", "saved_by": records.actor, "digest": plan.digest}
    name = records.guard.encrypt(plan.name.encode(), table="plan", row_id=plan.id, column="name_ct")
    _insert(records, connection, schema.plan, {"uuid": plan.id, "course": course.id, "name_ct": name} | head)
    row_id = new_id()
    cell = records.encrypt_document("plan", documents.to_content(plan), table=schema.plan_revision, row_id=row_id)
    records.insert(connection, schema.plan_revision, {"uuid": row_id, "plan": plan.id, "document_ct": cell} | head)


def _insert(records: Records, connection: Any, table: Any, row: dict[str, Any]) -> None:  # noqa: ANN401
    records.insert(connection, table, row)
    records.trail.append(connection, "added", table=table.name, record=row["uuid"], revision=1)


def _word(number: int) -> str:
    syllables = ("ba", "lo", "mi", "ner", "sta", "ku", "vel", "ro", "tan", "gri")
    return "".join(syllables[int(digit)] for digit in f"{number * 7919 % 1000:03d}").capitalize()


def timed(work: Callable[[], object]) -> tuple[float, float, Any]:
    """Seconds on the wall, seconds of the processor, and what came out."""
    began, began_cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - began, time.process_time() - began_cpu, result


def measure_saves(site: Any, count: int = 40) -> dict[str, float]:  # noqa: ANN401
    """Save revisions of one plan with a changed name; milliseconds, and bytes each adds to the database."""
    course = site.patients.courses(site.patients.patients()[0].id)[0]
    plan = samples.plan_of(course)
    site.plans.save(plan, base_revision=0)
    before = (site.path / "site.db").stat().st_size
    times = []
    for revision in range(1, count + 1):
        seconds, _, _ = timed(lambda r=revision: site.plans.save(samples.renamed(plan, f"r{r}"), base_revision=r))
        times.append(1000 * seconds)
    grown = (site.path / "site.db").stat().st_size - before
    return {"p50_ms": statistics.median(times), "max_ms": max(times), "bytes_per_revision": grown / count}


class Heartbeat:
    """The longest time for which the window's event loop did not come round."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(2)
        self._timer.timeout.connect(self._beat)
        self._timer.start()
        self._last_s, self.longest_s = time.perf_counter(), 0.0

    def _beat(self) -> None:
        now_s = time.perf_counter()
        self.longest_s, self._last_s = max(self.longest_s, now_s - self._last_s), now_s

    def take_ms(self) -> float:
        """The longest block since the last question, in milliseconds."""
        self._beat()
        longest_s, self.longest_s = self.longest_s, 0.0
        return round(1000 * longest_s, 1)


class Visit:
    """Somebody signs in to the site in the real window, waits for the list, types and scrolls."""

    def __init__(self, root: Path) -> None:
        self.app = QApplication.instance() or make_application(["ert"])
        self.dispatcher = Dispatcher()
        self.jobs = Jobs(self.dispatcher)
        self.window = MainWindow(samples.sites(), self.jobs, with_3d=False)
        self.window.resize(1366, 768)
        self.window.show()
        self.found: dict[str, Any] = {}
        self.heart = Heartbeat()
        spare_collector()
        self._sign_in(root)

    def until(self, is_so: Callable[[], object], *, limit_s: float = 600.0) -> None:
        """Let the event loop run, as in the program, until something is so."""
        loop, timer, end_s = QEventLoop(), QTimer(), time.perf_counter() + limit_s

        def look() -> None:
            if is_so() or time.perf_counter() > end_s:
                loop.quit()

        timer.timeout.connect(look)
        timer.start(2)
        loop.exec()
        if not is_so():
            raise TimeoutError("the window did not get there")

    def rest(self, seconds: float) -> None:
        """Let the event loop run for a while."""
        end_s = time.perf_counter() + seconds
        self.until(lambda: time.perf_counter() >= end_s)

    def timed_until(self, name: str, is_so: Callable[[], object]) -> None:
        """Wait, and note how long it took: on the wall, of the processor, and the longest block."""
        self.heart.take_ms()
        seconds, cpu, _ = timed(lambda: self.until(is_so))
        block = {f"{name}_block_ms": self.heart.take_ms()}
        self.found |= {f"{name}_s": round(seconds, 3), f"{name}_cpu_s": round(cpu, 3)} | block

    def _sign_in(self, root: Path) -> None:
        form = self.window.sign_in
        form.site.setText(str(root))
        form.user.setText(samples.LOGIN)
        form.password.setText(samples.PASSWORD)
        form.submit()
        self.timed_until("open", lambda: self.window.patient_page is not None)
        self.page = self.window.patient_page

    def is_listed(self) -> bool:
        """Whether patients can be looked for."""
        return self.page.model.rowCount() > 0

    def is_complete(self) -> bool:
        """Whether courses and plans of everybody are there."""
        return bool(self.page._rows) and self.page._rows[-1].is_complete and not self.jobs.active()

    def type_and_scroll(self, name: str) -> None:
        """Type a name, letter by letter as people do, take it back, turn the wheel; each until it is painted."""
        self.heart.take_ms()
        letters = [self._do(lambda c=letter: QTest.keyClick(self.page.search, c)) for letter in _SOUGHT]
        back = [self._do(lambda: QTest.keyClick(self.page.search, Qt.Key.Key_Backspace)) for _ in _SOUGHT]
        bar = self.page.tree.verticalScrollBar()
        turns = [self._do(lambda n=n: bar.setValue(n * 3)) for n in range(1, 21)]
        bar.setValue(0)
        for kind, times in (("letter", letters), ("backspace", back), ("scroll", turns)):
            self.found[f"{name}_{kind}_ms"] = [round(1000 * wall, 1) for wall, _ in times]
            self.found[f"{name}_{kind}_cpu_ms"] = [round(1000 * cpu, 1) for _, cpu in times]
        self.found[f"{name}_block_ms"] = self.heart.take_ms()

    def _do(self, act: Callable[[], object]) -> tuple[float, float]:
        def painted() -> None:
            act()
            self.app.processEvents()
            self.app.processEvents()

        wall, cpu, _ = timed(painted)
        self.rest(_PAUSE_S)
        return wall, cpu

    def leave(self) -> None:
        """Close the window."""
        session, self.window.session = self.window.session, None
        self.window.care.set_session(None)
        self.window.control.set_session(None)
        session.close()
        self.window.deleteLater()
        self.jobs.shutdown()
        self.dispatcher.close()


def measure_list(root: Path) -> dict[str, Any]:
    """The window's list: until it can be used, each letter meanwhile, until all is there, each letter then, a refresh.

    `process_time` counts all threads, so a letter's processor time while the list is read holds the reading's, too.
    """
    visit = Visit(root)
    visit.timed_until("usable", visit.is_listed)
    visit.type_and_scroll("reading")
    visit.timed_until("rest", visit.is_complete)
    visit.type_and_scroll("complete")
    former = visit.page._rows
    visit.page.refresh()
    visit.timed_until("refresh", lambda: visit.page._rows is not former and visit.is_complete())
    rows = visit.page._rows
    counts = {"patients": len(rows), "plans": sum(len(course.plans) for row in rows for course in row.courses)}
    found = visit.found | counts
    visit.leave()
    return found


def main() -> int:
    """Make the site if there is none, then measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--plans", type=int, default=50_000)
    parser.add_argument("--site", type=Path)
    asked = parser.parse_args()
    root = asked.site or Path(tempfile.mkdtemp(prefix="ert-size-")) / "site"
    found: dict[str, Any] = {}
    if not root.exists():
        samples.make_site(root)
        site = samples.open_site(root)
        found["filled_in_s"], _, _ = timed(lambda: fill(site.records, patients=asked.patients, plans=asked.plans))
        site.close()
    found["database_mb"] = (root / "site.db").stat().st_size / 1e6
    found["list"] = measure_list(root)
    site = samples.open_site(root)
    found["save"] = measure_saves(site)
    site.close()
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
