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

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.domain.identity import new_id
from ert.domain.patient import Course
from ert.storage import documents, schema
from ert.storage.patient_records import document_cell, mrn_index
from ert.storage.records import Records
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.patient_page import PatientPage
from tests.integration.storage import samples

_IN_ONE = 250
_SLICES = 120
_SOUGHT = "mi-00012"


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


def measure_list(root: Path) -> dict[str, Any]:
    """The window's list: until it can be used, until all of it is there, and each letter of a search."""
    app = QApplication.instance() or QApplication([])
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    seconds, cpu, session = timed(
        lambda: SiteSession.open(samples.sites(), jobs, root, user_name=samples.LOGIN, password=samples.PASSWORD)
    )
    found = {"open_s": seconds, "open_cpu_s": cpu}
    began, began_cpu = time.perf_counter(), time.process_time()
    page = PatientPage(session)
    page.resize(1366, 768)
    page.show()
    while page.filter.rowCount() == 0:
        QTest.qWait(5)
    app.processEvents()
    found |= {"usable_s": time.perf_counter() - began, "usable_cpu_s": time.process_time() - began_cpu}
    while not (page._rows and page._rows[0].is_complete):
        QTest.qWait(5)
    app.processEvents()
    found |= {"complete_s": time.perf_counter() - began, "complete_cpu_s": time.process_time() - began_cpu}
    found["patients"] = len(page._rows)
    found["plans"] = sum(len(course.plans) for row in page._rows for course in row.courses)
    letters = [timed(lambda n=length: _type(page, _SOUGHT[:n], app)) for length in range(1, len(_SOUGHT) + 1)]
    found["letter_ms"] = [round(1000 * wall, 1) for wall, _, _ in letters]
    found["letter_cpu_ms"] = [round(1000 * cpu, 1) for _, cpu, _ in letters]
    session.close()
    page.deleteLater()
    jobs.shutdown()
    dispatcher.close()
    return found


def _type(page: Any, text: str, app: Any) -> None:  # noqa: ANN401
    page.search.setText(text)
    app.processEvents()
    app.processEvents()


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
