"""A site on a real PostgreSQL server: what is refused, what the server's disk shows, what breaks and comes back."""

from __future__ import annotations

import re
import threading

import attrs
import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from ert.domain.account import Grant, Level
from ert.errors import (
    AuditBroken,
    BadTag,
    DatabaseBusy,
    NotASite,
    SchemaTooNew,
    StaleRevision,
    StorageFailed,
)
from ert.storage import schema
from ert.storage.guards import SERVER_TRIGGERS
from ert.storage.server_access import ServerAccess
from ert.storage.server_opening import _parameters
from ert.storage.server_secret import PASSWORD_FILE
from ert.storage.sites import Sites
from ert.storage.store_file import ServerPlace, read_store_file
from tests.integration.storage import samples
from tests.integration.storage.postgres import HOST, ROLE, ROLE_PASSWORD, SUPERUSER_PASSWORD
from tests.integration.test_canary import spellings

WHO = {"user_name": samples.LOGIN, "password": samples.PASSWORD}


@pytest.fixture
def login(postgres):
    return postgres.new_database()


@pytest.fixture
def root(tmp_path, login):
    path = tmp_path / "site"
    pending = samples.sites().prepare(
        path, site_name=samples.CANARY, admin_name=samples.LOGIN, password=samples.PASSWORD, server=login
    )
    pending.confirm(pending.recovery_code)
    return path


@pytest.fixture
def site(root):
    opened = samples.open_site(root)
    yield opened
    opened.close()


def place_of(root) -> ServerPlace:
    return read_store_file(root)[0].database


def open_often(root):
    for _ in range(50):  # the server reads its rules in its own time
        samples.open_site(root).close()


def write_while_it_breaks(postgres, site):
    with site.records.database.write() as connection:
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ert'")
        connection.execute(sa.select(schema.store_meta)).all()


def meddle(postgres, root, *statements):
    """What an administrator of the server can do to the tables, triggers and all."""
    place = place_of(root)
    with postgres.connect(place.database) as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(place.schema)))
        connection.execute("SET session_replication_role = replica")
        for statement in statements:
            connection.execute(statement)


# ---- refused ---------------------------------------------------------------------------------------------------------


def test_what_is_not_fit_is_refused_with_a_sentence_before_a_folder_exists(postgres, login, tmp_path):
    def address(**changes):
        return attrs.evolve(login, address=attrs.evolve(login.address, **changes))

    narrow = postgres.new_database().address.database
    postgres.execute(f"ALTER DATABASE {narrow} OWNER TO postgres")
    postgres.execute(
        "CREATE DATABASE ascii OWNER ert ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    for server, word in (
        (attrs.evolve(login, password="wrong"), "does not accept this role and password"),
        (address(database="nosuch"), "no such database"),
        (address(port=1), "cannot be reached"),
        (address(host="no-such-host.invalid"), "cannot be reached"),
        (attrs.evolve(address(role="postgres"), password=SUPERUSER_PASSWORD), "superuser"),
        (address(database="ascii"), "not UTF8"),
        (address(database=narrow), "may not make a schema"),
    ):
        with pytest.raises(StorageFailed) as raised:
            samples.sites().prepare(
                tmp_path / "s", site_name="C", admin_name="A", password=samples.PASSWORD, server=server
            )
        assert word in raised.value.sentence
        assert ROLE_PASSWORD not in f"{raised.value} {raised.value.detail}"
    assert list(tmp_path.iterdir()) == []
    postgres.execute("DROP DATABASE ascii")


def test_a_server_that_may_lose_what_it_acknowledged_keeps_no_clinical_site(login, tmp_path):
    with pytest.raises(StorageFailed, match="fsync off"):
        Sites().prepare(tmp_path / "s", site_name="C", admin_name="A", password=samples.PASSWORD, server=login)


def test_another_computer_is_only_reached_encrypted_and_proven():
    place = ServerPlace(host="db.example", port=5432, database="d", role="r", schema="s")
    access = ServerAccess(
        place=place, password=lambda: "p", authority=None, key_literal=str, store_id="i", kind="clinical"
    )
    parameters = _parameters(access)
    assert (parameters["sslmode"], parameters["sslrootcert"]) == ("verify-full", "system")
    assert parameters["require_auth"] == "scram-sha-256"


def test_a_server_that_does_not_ask_for_the_password_is_refused(postgres, login, root):
    rules = postgres.folder / "data" / "pg_hba.conf"
    kept = rules.read_text()
    rules.write_text(f"host {login.address.database} {ROLE} {HOST}/32 trust\n{kept}")
    postgres.execute("SELECT pg_reload_conf()")
    try:
        with pytest.raises(StorageFailed, match="SCRAM"):
            open_often(root)
    finally:
        rules.write_text(kept)
        postgres.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("UPDATE store_meta SET store_id = 'other'", NotASite),
        ("UPDATE migration SET version_num = '0099'", SchemaTooNew),
        ("DROP TABLE migration", NotASite), ("UPDATE store_meta SET epoch = 2", BadTag),
        ("UPDATE store_meta SET head_seq = 1", BadTag),
    ],
)  # fmt: skip
def test_tables_that_are_not_this_site_s_are_not_opened(postgres, root, statement, error):
    meddle(postgres, root, statement)
    with pytest.raises(error):
        samples.open_site(root)


def test_a_changed_password_is_given_anew_and_only_the_same_site_is_taken(postgres, login, root, tmp_path):
    site = samples.open_site(root, anchors=tmp_path / "anchors")
    samples.import_one(site)
    site.close()
    gateway = samples.sites(anchors=tmp_path / "anchors")
    postgres.execute(sql.SQL("ALTER ROLE {} PASSWORD 'new-1'").format(sql.Identifier(ROLE)))
    try:
        with pytest.raises(StorageFailed, match="reconnect"):
            gateway.open(root, **WHO)
        other = attrs.evolve(postgres.new_database(), password="new-1")
        with pytest.raises(NotASite, match="does not hold"):
            gateway.reconnect(root, **WHO, server=other)
        gateway.reconnect(root, **WHO, server=attrs.evolve(login, password="new-1"))
        gateway.open(root, **WHO).close()
    finally:
        postgres.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(ROLE), ROLE_PASSWORD))
    (root / PASSWORD_FILE).write_bytes(b"ERTE" + bytes(100))
    with pytest.raises(BadTag, match="reconnect"):
        gateway.open(root, **WHO)


# ---- what the server's disk shows ------------------------------------------------------------------------------------


def test_nothing_of_a_person_lies_on_the_server(postgres, login, site):
    course = samples.import_one(site, number="ZQ-88317-X")
    plan = attrs.evolve(samples.plan_of(course), name="Zwickauplan", description="Fr. Zzyzxquist klagt")
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    site.plans.save(samples.renamed(plan, "Zwickauplan zwei"), base_revision=1)
    site.accounts.add("Hildegunde Quix", password="Radium-227!", grant=Grant(level=Level.DEFAULT))
    site.machines.add(name="ZQLINAC", digest="ef" * 32, content=b"package")
    site.record_event("exported", record=plan.id, detail="to Zzyzxquist's folder")
    postgres.execute("CHECKPOINT")
    secrets = (
        samples.CANARY, "Änne", "ZQ-88317-X", "1948-02-29", "19480229", "Zwickauplan", "klagt", "Hildegunde",
        samples.LOGIN, "ZQLINAC", samples.PASSWORD, "1.2.5.1", "PTV äöü", "Planning CT", ROLE_PASSWORD,
    )  # fmt: skip
    dump = postgres.dump(login.address.database).lower()
    files = {p.read_bytes() for p in (postgres.folder / "data").rglob("*") if p.is_file()}
    disk = re.sub(rb"\0{4096,}", b"\0", b"\0".join(files)).lower()  # its catalogues lie there once a database
    log = (postgres.folder / "log").read_bytes().lower()
    assert b"plan saved" in dump  # the search sees what is clear: events, ids, times
    assert site.site_id.encode() in dump
    assert b"plan saved" in disk
    for text in secrets:
        for spelling in spellings(text):
            assert spelling not in dump, text
            assert spelling not in log, text
            # The server keeps its own roles' passwords as SCRAM verifiers, never as they are.
            assert spelling not in disk, text


def test_the_columns_in_clear_are_the_ones_that_are_documented(repository):
    encrypted = ("_ct", "_bi", "row_mac")
    clear = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.sorted_tables
        for column in table.columns
        if not column.name.endswith(encrypted)
    }
    text = (repository / "docs/storage.md").read_text(encoding="utf-8")
    said = text.partition("| Column in clear |")[2].partition("\n\n")[0]
    assert [name for name in sorted({c.partition(".")[2] for c in clear}) if f"`{name}`" not in said] == []


# ---- damage and meddling ---------------------------------------------------------------------------------------------


def test_append_only_is_held_by_the_server(root, login, site):
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0)
    place = place_of(root)
    with psycopg.connect(
        host=HOST, port=place.port, user=ROLE, password=login.password, dbname=place.database, autocommit=True,
        options=f"-c search_path={place.schema}",
    ) as connection:  # fmt: skip
        for statement in (
            "UPDATE history SET event = 'x'", "DELETE FROM history", "TRUNCATE history", "DELETE FROM plan_revision",
            "UPDATE plan_revision SET saved_by = 'x'", "DELETE FROM patient", "UPDATE file SET owner = 'x'",
        ):  # fmt: skip
            with pytest.raises(psycopg.IntegrityError, match="may not be changed"):
                connection.execute(statement)


def test_every_trigger_is_one_that_is_looked_for(root, login, site):
    place = place_of(root)
    with psycopg.connect(
        host=HOST, port=place.port, user=ROLE, password=login.password, dbname=place.database, autocommit=True
    ) as connection:
        found = connection.execute(
            "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE NOT tgisinternal AND relnamespace = %s::regnamespace",
            [place.schema],
        )
        assert {name for (name,) in found} == SERVER_TRIGGERS


@pytest.mark.parametrize(
    "meddling",
    [
        ("UPDATE plan SET state = 'APPROVED'", 2, "CHECK-ROW"),
        ("UPDATE history SET event = 'nothing' WHERE seq = 3", 2, "ERT-450"),
        ("DELETE FROM history WHERE seq = 3", 2, "ERT-450"),
        ("DELETE FROM plan_revision", 2, "CHECK-REVISIONS"),
        ("DELETE FROM course", 1, "CHECK-DATABASE"),
        ("ALTER TABLE history DISABLE TRIGGER USER", 0, "CHECK-DATABASE"),
        ("DROP TRIGGER dose_no_update ON dose", 0, "CHECK-DATABASE"),
        ("DROP TRIGGER plan_approved_no_update ON plan", 0, "CHECK-DATABASE"),
        ("DROP TABLE material_revision", 0, "CHECK-DATABASE"),
    ],
)
def test_meddling_on_the_server_is_found(postgres, root, site, meddling):
    statement, level, code = meddling
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    assert site.check() == ()
    meddle(postgres, root, statement)
    assert code in {finding.code for finding in site.check(level=level)}


def test_a_database_put_back_to_an_earlier_state_is_noticed(postgres, login, root, tmp_path):
    anchors = tmp_path / "anchors"
    site = samples.open_site(root, anchors=anchors)
    site.close()
    earlier = postgres.new_database(template=login.address.database).address.database
    site = samples.open_site(root, anchors=anchors)
    samples.import_one(site)
    site.close()
    postgres.execute(f"ALTER DATABASE {login.address.database} RENAME TO later")
    postgres.execute(f"ALTER DATABASE {earlier} RENAME TO {login.address.database}")
    with pytest.raises(AuditBroken, match="went back in time"):
        samples.open_site(root, anchors=anchors)
    postgres.execute("DROP DATABASE later")


# ---- several at once, interruptions ----------------------------------------------------------------------------------


def test_a_writer_waits_for_another_and_gives_up_in_time_while_readers_go_on(root):
    mine = samples.sites(busy_timeout_ms=50).open(root, **WHO)
    theirs = samples.open_site(root)
    try:
        with theirs.records.database.write() as connection:
            connection.execute(sa.update(schema.store_meta).values(fencing_token=schema.store_meta.c.fencing_token))
            with pytest.raises(DatabaseBusy, match="busy"), mine.records.database.write():
                pass
            assert mine.patients.patients() == ()
    finally:
        mine.close()
        theirs.close()


def test_a_reader_sees_one_state_however_much_is_saved_meanwhile(root):
    mine, theirs = samples.open_site(root), samples.open_site(root)
    try:
        with mine.records.database.read() as connection:
            count = sa.select(sa.func.count()).select_from(schema.patient)
            assert connection.execute(count).scalar_one() == 0
            samples.import_one(theirs)
            assert connection.execute(count).scalar_one() == 0
        assert len(mine.patients.patients()) == 1
    finally:
        mine.close()
        theirs.close()


def test_a_server_that_breaks_off_costs_nothing_that_was_acknowledged(postgres, root):
    site = samples.open_site(root)
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0)
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ert'")
    saved = site.plans.save(samples.renamed(plan, "second"), base_revision=1)  # the next connection is made by itself
    assert saved.revision == 2
    with pytest.raises(StorageFailed, match="does not answer"):
        write_while_it_breaks(postgres, site)
    with pytest.raises(StaleRevision):
        site.plans.save(samples.renamed(plan, "late"), base_revision=1)
    assert site.plans.load(plan.id).plan.name == "second"
    assert site.check(level=2) == ()
    site.close()


def test_two_sites_in_one_database_know_nothing_of_each_other(login, root, tmp_path):
    pending = samples.sites().prepare(
        tmp_path / "other", site_name="O", admin_name=samples.LOGIN, password=samples.PASSWORD, server=login
    )
    pending.confirm(pending.recovery_code)
    one, other = samples.open_site(root), samples.open_site(tmp_path / "other")
    samples.import_one(one)
    assert (len(one.patients.patients()), len(other.patients.patients())) == (1, 0)
    assert (one.check(), other.check()) == ((), ())
    one.close()
    other.close()


def test_while_keys_are_renewed_nobody_opens_and_while_somebody_works_none_are(root):
    site = samples.open_site(root)
    with pytest.raises(DatabaseBusy):
        samples.sites().renew_data_keys(root, **WHO, progress=lambda _f, _t: None)
    site.close()
    refused = []

    def look(_fraction, text):
        if text.startswith("Rewriting"):

            def attempt():
                (root / "site.lock").unlink()  # as on a share whose locks mean nothing
                with pytest.raises(DatabaseBusy) as raised:
                    samples.open_site(root)
                refused.append(raised.value.sentence)

            worker = threading.Thread(target=attempt)
            worker.start()
            worker.join()

    samples.sites().renew_data_keys(root, **WHO, progress=look)
    assert refused
    again = samples.open_site(root)
    assert again.check() == ()
    again.close()


# ---- an older program's tables ---------------------------------------------------------------------------------------


def test_tables_of_an_older_program_are_copied_and_brought_up_to_date(login, tmp_path):
    root = tmp_path / "site"
    with pytest.MonkeyPatch.context() as patch:
        samples.as_first_version(patch)
        pending = samples.sites().prepare(
            root, site_name="C", admin_name=samples.LOGIN, password=samples.PASSWORD, server=login
        )
        pending.confirm(pending.recovery_code)
        site = samples.open_site(root)
        plan = samples.plan_of(samples.import_one(site))
        site.plans.save(plan, base_revision=0)
        site.close()
    site = samples.open_site(root)
    assert site.plans.load(plan.id).plan == plan
    assert site.check() == ()
    assert "database brought up to date" in [entry.event for entry in site.activity.entries(limit=9)]
    site.close()
    (copy,) = (root / "backup").iterdir()
    assert copy.name.startswith("site-v1-")
    assert not copy.read_bytes().startswith(b"SQLite")
