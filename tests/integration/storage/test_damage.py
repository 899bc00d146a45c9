"""Whatever is changed from outside is refused when used, and named by the whole-site check."""

from __future__ import annotations

import json
import shutil

import pytest
import sqlcipher3

from ert.domain.record import Severity
from ert.errors import AuditBroken, BadTag, ErtError, NotASite, Untrusted, WrongKey
from ert.storage.assembly import DATABASE
from ert.storage.check import exit_code
from ert.storage.maintenance import SiteCare
from tests.integration.storage import samples
from tests.integration.storage.faults.rot import digest_of_everything


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A site with a patient, a plan in two revisions, a dose and a machine; its key, its ids."""
    root = samples.copied_site(tmp_path_factory.mktemp("damage") / "site")
    site = samples.open_site(root)
    course = samples.import_one(site)
    plan = samples.plan_of(course)
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    site.plans.save(samples.renamed(plan, "second"), base_revision=1)
    site.machines.add(name="LINAC 1", digest="ef" * 32, content=b"package")
    literal = site.records.guard._vault.database_key_literal()
    assert site.check() == ()
    site.close()
    return root, literal, course, plan


@pytest.fixture
def root(template, tmp_path):
    return shutil.copytree(template[0], tmp_path / "site")


def tamper(root, template, *statements: str) -> None:
    """What somebody with the database key, but not the other keys, could do."""
    connection = sqlcipher3.connect(str(root / DATABASE), isolation_level=None)
    connection.execute(f'PRAGMA key = "{template[1]}"')
    triggers = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    for name in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def findings(root) -> set[str]:
    site = samples.open_site(root)
    try:
        found = site.check()
    finally:
        site.close()
    assert exit_code(found) == int(any(f.severity is not Severity.NOTE for f in found))
    return {f.code for f in found}


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE plan SET state = 'APPROVED'", "CHECK-ROW"),
        ("UPDATE plan SET digest = '00'", "CHECK-ROW"),
        ("UPDATE plan_revision SET rev = 3 WHERE rev = 2", "CHECK-ROW"),
        ("UPDATE patient SET mrn_bi = x'00'", "CHECK-ROW"),
        ("UPDATE patient SET document_ct = (SELECT document_ct FROM course)", "CHECK-ROW"),
        ("UPDATE image SET digest = '00'", "CHECK-ROW"),
        ("UPDATE dose SET request_digest = '00'", "CHECK-ROW"),
        ("UPDATE machine SET digest = '00'", "CHECK-ROW"),
        ("UPDATE file SET size = size + 1", "CHECK-FILE"),
        ("DELETE FROM plan_revision WHERE rev = 1", "CHECK-REVISIONS"),
        ("DELETE FROM plan_revision WHERE rev = 2", "CHECK-REVISIONS"),
        ("DELETE FROM file WHERE owner_table = 'dose'", "CHECK-FILES"),
        ("DELETE FROM file WHERE owner_table = 'structure_set'", "CHECK-FILES"),
        ("DELETE FROM course", "CHECK-DATABASE"),
        ("UPDATE history SET event = 'nothing' WHERE seq = 5", "ERT-450"),
        ("UPDATE history SET utc = '2000' WHERE seq = 5", "ERT-450"),
        ("DELETE FROM history WHERE seq = 5", "ERT-450"),
        ("DELETE FROM history WHERE seq = (SELECT max(seq) FROM history) - 1", "ERT-450"),
    ],
)
def test_changed_rows_are_found(root, template, statement, code):
    tamper(root, template, statement)
    assert code in findings(root)


def test_a_cut_history_is_noticed_because_the_head_is_guarded(root, template):
    last = "(SELECT max(seq) FROM history)"
    tamper(root, template, f"DELETE FROM history WHERE seq = {last}")
    with pytest.raises(AuditBroken, match="broken at its end"):  # nothing is built on it, not even a sign-in
        samples.open_site(root)
    found = SiteCare().check(
        root, user_name=samples.LOGIN, password=samples.PASSWORD, level=2, progress=lambda _fraction, _text: None
    )
    assert "ERT-450" in {f.code for f in found}


def test_a_moved_head_is_refused_at_opening(root, template):
    tamper(root, template, "UPDATE store_meta SET head_seq = head_seq - 1")
    with pytest.raises(BadTag):
        samples.open_site(root)


@pytest.mark.parametrize(
    ("statement", "use"),
    [
        ("UPDATE plan_revision SET saved_by = 'x'", lambda s, c, p: s.plans.load(p.id)),
        ("UPDATE plan SET rev = 1", lambda s, c, p: s.plans.load(p.id)),
        ("DELETE FROM plan_revision WHERE rev = 2", lambda s, c, p: s.plans.load(p.id)),
        ("UPDATE plan SET name_ct = x'00'", lambda s, c, p: s.plans.heads(c.id)),
        ("UPDATE patient SET merged_into = uuid", lambda s, c, p: s.patients.patients()),
        ("UPDATE course SET image = patient", lambda s, c, p: s.patients.course(c.id)),
        ("UPDATE image SET rev = 2", lambda s, c, p: s.patients.image(c.image_id)),
        ("UPDATE file SET owner_rev = 2 WHERE owner_table = 'image'", lambda s, c, p: s.patients.image(c.image_id)),
        ("UPDATE structure_set SET rev = 2", lambda s, c, p: s.patients.structure_set(c.structure_set_id)),
        ("DELETE FROM file WHERE owner_table = 'dose'", lambda s, c, p: s.plans.dose(p.id, "cd" * 32)),
        ("UPDATE dose SET content_digest = '00'", lambda s, c, p: s.plans.dose(p.id, "cd" * 32)),
        ("UPDATE machine SET document_ct = x'00'", lambda s, c, p: s.machines.packages()),
    ],
)
def test_changed_rows_are_refused_when_used(root, template, statement, use):
    tamper(root, template, statement)
    site = samples.open_site(root)
    try:
        with pytest.raises(Untrusted):
            use(site, template[2], template[3])
    finally:
        site.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE patient SET updated_utc = '2000'", "UPDATE plan SET state = 'APPROVED'", "UPDATE image SET digest = '00'",
     "UPDATE course SET rev = 2", "UPDATE structure_set_revision SET saved_by = 'x'"],
)  # fmt: skip
def test_a_list_that_was_read_before_is_verified_again(root, template, statement):
    def read():
        return [site.plans.overview([record.patient.id]) for record in site.administration.records()]

    site = samples.open_site(root)
    try:
        before = read()
        assert read() == before
        tamper(root, template, statement)
        with pytest.raises(BadTag):
            read()
    finally:
        site.close()


def test_a_list_that_is_read_again_shows_what_was_changed_by_the_program(root, template):
    course, plan = template[2:]
    site = samples.open_site(root)
    try:
        assert site.plans.overview([course.patient_id])[course.patient_id][0].plans[0].name == "second"
        site.plans.save(samples.renamed(plan, "third"), base_revision=2)
        assert site.plans.overview([course.patient_id])[course.patient_id][0].plans[0].name == "third"
        record = site.administration.records()[0]
        site.administration.set_active(record, is_active=False, reason="Not treated here")
        assert [r.is_active for r in site.administration.records()] == [False]
    finally:
        site.close()


def test_every_file_is_checked(root):
    files = sorted(root.rglob("*.erte"))
    assert len(files) == 5
    for path in files:
        data = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert findings(root) == {"CHECK-FILE"}
        path.unlink()
        assert "CHECK-FILE" in findings(root)
        path.write_bytes(data)
        assert findings(root) == set()


def test_files_of_two_records_cannot_trade_places(root):
    first, second = sorted(root.rglob("*.erte"), key=lambda p: p.stat().st_size)[:2]
    a, b = first.read_bytes(), second.read_bytes()
    for path, data in ((first, b), (second, a)):
        path.chmod(0o600)
        path.write_bytes(data)
    assert findings(root) == {"CHECK-FILE"}


LONG_PLANS, MANY_PAGES = 8, 150


@pytest.fixture(scope="module")
def grown(template, tmp_path_factory):
    """A copy of the site whose database has many pages, most of them of long cells."""
    root = shutil.copytree(template[0], tmp_path_factory.mktemp("grown") / "site")
    site = samples.open_site(root)
    for number in range(LONG_PLANS):
        plan = samples.plan_of(template[2], outline_points=2500)
        site.plans.save(samples.renamed(plan, f"long {number}"), base_revision=0)
    site.close()
    return root


@pytest.fixture
def large(grown, tmp_path):
    return shutil.copytree(grown, tmp_path / "large")


def test_a_flip_in_any_page_of_the_database_is_found(large):
    root, path = large, large / DATABASE
    good = path.read_bytes()
    missed = []
    assert len(good) // PAGE_BYTES >= MANY_PAGES
    for page in range(len(good) // PAGE_BYTES):
        data = bytearray(good)
        data[page * 4096 + 2000] ^= 1
        path.write_bytes(data)
        try:
            if not findings(root) - {"CHECK-ORPHAN"}:
                missed.append(page)
        except (ErtError, AssertionError):
            pass
        path.write_bytes(good)
        journal = root / f"{DATABASE}-journal"
        journal.unlink(missing_ok=True)
    assert missed == []


PAGE_BYTES = 4096


def everything(root) -> str:
    """A digest of all that a user can read."""
    site = samples.open_site(root)
    try:
        return digest_of_everything(site)
    finally:
        site.close()


def changed_pages_missed(root, changed_page, *, wanted="") -> tuple[int, list[int]]:
    """How many pages were changed one at a time, and which of those neither the check nor opening noticed.

    A page that holds what it held, encrypted anew, is none of those if everything that a user reads is as `wanted`.
    """
    path = root / DATABASE
    good = path.read_bytes()
    tried, missed = 0, []
    for page in range(len(good) // PAGE_BYTES):
        place = slice(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
        new = changed_page(page)
        if new is None or new == good[place]:
            continue
        tried += 1
        path.write_bytes(good[: place.start] + new + good[place.stop :])
        try:
            if not findings(root) - {"CHECK-ORPHAN"} and (not wanted or everything(root) != wanted):
                missed.append(page)
        except ErtError:
            pass
        path.write_bytes(good)
        (root / f"{DATABASE}-journal").unlink(missing_ok=True)
    return tried, missed


def test_a_zeroed_page_of_the_database_is_found(large):
    """SQLCipher does not look at the code of a page of zeros."""
    tried, missed = changed_pages_missed(large, lambda _page: bytes(PAGE_BYTES))
    assert tried >= MANY_PAGES
    assert missed == []


def test_a_page_that_went_back_in_time_is_found(root, template):
    """An older copy of a page is a good page to SQLCipher; revisions, history and head tell."""
    older = (root / DATABASE).read_bytes()
    site = samples.open_site(root)
    plan = template[3]
    site.plans.save(samples.renamed(plan, "third"), base_revision=2, doses=[samples.dose("0a" * 32, seed=9)])
    site.machines.add(name="LINAC 2", digest="ee" * 32, content=b"another package")
    site.close()

    def older_page(page: int) -> bytes | None:
        return older[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] or None

    tried, missed = changed_pages_missed(root, older_page, wanted=everything(root))
    assert tried >= 10
    assert missed == []


def test_damage_at_the_end_of_a_long_cell_never_reaches_the_reader(template, root):
    """SQLCipher returns a zero-filled tail without an error when the last overflow page of a value is damaged."""
    site = samples.open_site(root)
    long_plan = samples.plan_of(template[2], outline_points=2500)
    site.plans.save(long_plan, base_revision=0)
    site.close()
    path = root / DATABASE
    good = path.read_bytes()
    reached = 0
    for page in range(1, len(good) // 4096):
        data = bytearray(good)
        data[page * 4096 + 100] ^= 1
        path.write_bytes(data)
        (root / f"{DATABASE}-journal").unlink(missing_ok=True)
        try:
            site = samples.open_site(root)
        except ErtError:
            continue
        try:
            assert site.plans.load(long_plan.id).plan == long_plan
        except ErtError:
            reached += 1
        finally:
            site.close()
    assert reached >= 8  # pages that the long plan's cells fill, whatever else the database holds


def test_an_older_copy_of_the_site_is_noticed_where_the_newer_was_seen(tmp_path, template):
    anchors, root = tmp_path / "anchors", tmp_path / "site"
    shutil.copytree(template[0], root)
    site = samples.open_site(root, anchors=anchors)
    older = tmp_path / "older.db"
    site.record_event("export")
    shutil.copy(root / DATABASE, older)
    plan = template[3]
    site.plans.save(samples.renamed(plan, "third"), base_revision=2)
    site.close()
    shutil.copy(older, root / DATABASE)
    with pytest.raises(AuditBroken, match="went back in time"):
        samples.open_site(root, anchors=anchors)
    samples.open_site(root).close()
    gateway = samples.sites(anchors=anchors)
    reason = "disk failed, backup of Monday"
    site = gateway.open(root, user_name=samples.LOGIN, password=samples.PASSWORD, accept_restore_reason=reason)
    site.close()
    samples.open_site(root, anchors=anchors).close()


def test_a_history_that_took_another_turn_is_noticed(tmp_path, template):
    anchors, root = tmp_path / "anchors", tmp_path / "site"
    shutil.copytree(template[0], root)
    copy = shutil.copytree(root, tmp_path / "copy")
    site = samples.open_site(root, anchors=anchors)
    site.close()
    other = samples.open_site(copy)
    for _ in range(9):
        other.record_event("elsewhere")
    other.close()
    with pytest.raises(AuditBroken):
        samples.open_site(copy, anchors=anchors)


@pytest.mark.parametrize("note", [b"", b"{", b"{}", b'{"seq": "x", "h": "00"}'])
def test_a_destroyed_note_is_as_good_as_none(tmp_path, template, note):
    anchors, root = tmp_path / "anchors", tmp_path / "site"
    shutil.copytree(template[0], root)
    samples.open_site(root, anchors=anchors).close()
    (path,) = (p for p in anchors.iterdir() if "attempts" not in p.name)  # failed sign-ins are counted there, too
    assert json.loads(path.read_bytes())["seq"] > 0
    path.write_bytes(note)
    samples.open_site(root, anchors=anchors).close()


def test_a_strangers_slot_and_a_lost_recovery_slot_are_found(root):
    slots = sorted((root / "keys" / "slots").iterdir())
    recovery = next(p for p in slots if json.loads(p.read_bytes())["kind"] == "recovery")
    document = json.loads(recovery.read_bytes())
    recovery.write_text(json.dumps(document | {"created_utc": "2000"}))
    assert findings(root) == {"CHECK-SLOT"}
    recovery.unlink()
    assert findings(root) == {"CHECK-SLOT"}


def test_zeroed_database_is_refused(root):
    size = (root / DATABASE).stat().st_size
    (root / DATABASE).write_bytes(bytes(size))
    with pytest.raises((WrongKey, NotASite)):
        samples.open_site(root)
    assert (root / DATABASE).read_bytes() == bytes(size)
