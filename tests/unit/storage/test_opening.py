"""The opening protocol refuses everything that is not exactly this site's database, and leaves the file alone."""

from __future__ import annotations

import hashlib
import sqlite3

import pytest
import sqlalchemy as sa
import sqlcipher3
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ert.errors import DatabaseBusy, DiskFull, NotASite, SchemaTooNew, StorageFailed, WrongKey
from ert.storage import migrate, opening, schema
from ert.storage.database import Database
from ert.storage.keys import Vault
from ert.storage.opening import Access

STORE = "0a0b"


@pytest.fixture(scope="module")
def vault():
    return Vault.create(STORE)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, vault):
    """A finished database, made once."""
    path = tmp_path_factory.mktemp("finished") / "site.db"
    path.touch()
    database = Database(Access(path=path, key_literal=vault.database_key_literal, store_id=STORE), may_migrate=True)
    with database.write() as connection:
        migrate.migrate(connection)
        row = {"one": 1, "store_id": STORE, "kind": "sandbox", "format": 1, "epoch": 1, "name_ct": b"", "head_seq": 0}
        row |= {"head_h": b"", "fencing_token": 0, "row_mac": b""}
        connection.execute(schema.store_meta.insert().values(**row))
    database.close()
    return path


@pytest.fixture
def access(tmp_path, finished, vault):
    """A copy of it under a name that needs quoting."""
    path = tmp_path / "site # 50%.db"
    path.write_bytes(finished.read_bytes())
    return Access(path=path, key_literal=vault.database_key_literal, store_id=STORE, busy_timeout_ms=50)


def raw(access: Access):
    connection = sqlcipher3.connect(str(access.path), isolation_level=None)
    connection.execute(f'PRAGMA key = "{access.key_literal()}"')
    return connection


def refused(access: Access, error: type[Exception], match: str, **changes) -> None:
    before = hashlib.sha256(access.path.read_bytes()).digest() if access.path.exists() else None
    import attrs

    with pytest.raises(error, match=match):
        opening.open_connection(attrs.evolve(access, **changes))
    after = hashlib.sha256(access.path.read_bytes()).digest() if access.path.exists() else None
    assert before == after


def test_the_right_key_opens_with_every_safety_setting(access):
    connection = opening.open_connection(access)
    names = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "recursive_triggers", "cell_size_check")
    assert [connection.execute(f"PRAGMA {n}").fetchone()[0] for n in names] == ["delete", 3, 1, 0, 1, 1]
    connection.close()


def test_the_file_is_encrypted_through_and_through(access):
    assert b"SQLite" not in access.path.read_bytes()
    assert b"CREATE TABLE" not in access.path.read_bytes()


def test_another_key_is_refused(access):
    refused(access, WrongKey, "this site's key", key_literal=Vault.create(STORE).database_key_literal)


@pytest.mark.parametrize(
    "literal", ["", "x''", "x'" + "0" * 63 + "'", "x'" + "0" * 96 + "'", "password", "x'" + "g" * 64 + "'"]
)
def test_a_literal_that_would_be_taken_for_a_passphrase_is_refused(access, literal):
    refused(access, WrongKey, "impossible form", key_literal=lambda: literal)


def test_a_plain_file_is_refused(access):
    access.path.unlink()
    with sqlite3.connect(access.path) as plain:
        plain.execute("CREATE TABLE store_meta(store_id)")
    plain.close()
    refused(access, NotASite, "not encrypted")


def test_a_missing_file_is_refused_and_not_created(access):
    access.path.unlink()
    refused(access, NotASite, "missing")
    assert not access.path.exists()


def test_an_empty_file_is_refused(access):
    access.path.write_bytes(b"")
    refused(access, NotASite, "empty")


def test_a_folder_in_its_place_is_refused(access):
    access.path.unlink()
    access.path.mkdir()
    with pytest.raises(NotASite):
        opening.open_connection(access)


def test_an_old_sqlite_is_refused(access, monkeypatch):
    monkeypatch.setattr(opening, "probe_versions", lambda: ((3, 51, 2), "4.12.0"))
    refused(access, NotASite, "older than 3.51.3")


def test_a_driver_without_cipher_is_refused(access, monkeypatch):
    monkeypatch.setattr(opening, "probe_versions", lambda: ((3, 60, 0), ""))
    refused(access, NotASite, "without encryption")


def test_the_installed_driver_is_good_enough():
    version, cipher = opening.probe_versions()
    assert version >= (3, 51, 3)
    assert cipher


def test_another_sites_database_is_refused(access):
    refused(access, NotASite, "another site", store_id="0c0d")


def test_a_newer_schema_is_refused_with_a_sentence(access):
    connection = raw(access)
    connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    connection.close()
    refused(
        access,
        SchemaTooNew,
        f"has version {schema.SCHEMA_VERSION + 1}; this program knows versions up to {schema.SCHEMA_VERSION}",
    )
    database = Database(access, may_migrate=True)
    with pytest.raises(SchemaTooNew), database.write() as connection:
        migrate.migrate(connection)
    database.close()


def test_an_unfinished_database_is_refused(access):
    connection = raw(access)
    connection.execute("PRAGMA user_version = 0")
    connection.close()
    refused(access, NotASite, "never finished")


def test_somebody_elses_encrypted_database_is_refused(access):
    connection = raw(access)
    connection.execute("PRAGMA application_id = 1")
    connection.close()
    refused(access, NotASite, "not made by ERT")


def test_a_damaged_first_page_is_refused(access):
    data = bytearray(access.path.read_bytes())
    data[1000] ^= 1
    access.path.write_bytes(data)
    refused(access, WrongKey, "first page is damaged")


def test_a_setting_that_does_not_hold_is_refused(access, monkeypatch):
    monkeypatch.setattr(opening, "_PRAGMAS", (*opening._PRAGMAS, ("page_size", "4096", 8192)))
    refused(access, StorageFailed, "safety settings")


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA cipher_page_size = 1024", "PRAGMA cipher_hmac_algorithm = HMAC_SHA1", "PRAGMA kdf_iter = 1",
        "PRAGMA cipher_migrate", "PRAGMA key = 'x'", "PRAGMA rekey = 'x'", "PRAGMA hexrekey = '00'",
        "ATTACH DATABASE ':memory:' AS other", "DETACH DATABASE main", "PRAGMA writable_schema = ON",
        "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA foreign_keys = OFF",
        "PRAGMA trusted_schema = ON", "PRAGMA recursive_triggers = OFF", "PRAGMA user_version = 9",
        "PRAGMA application_id = 9", "PRAGMA ignore_check_constraints = ON", "SELECT load_extension('x')",
        "SELECT sqlcipher_export('main')", "DROP TABLE history", "DROP TRIGGER history_no_delete",
        "ALTER TABLE history RENAME TO h", "CREATE TABLE x(y)", 
        "CREATE TRIGGER t AFTER INSERT ON user BEGIN SELECT 1; END", "VACUUM INTO 'plain.db'",
    ],
)  # fmt: skip
def test_what_could_undo_the_promises_is_denied(access, statement):
    connection = opening.open_connection(access)
    with pytest.raises(sqlcipher3.DatabaseError, match="not authorized|prohibited|denied"):
        connection.execute(statement)
    assert connection.execute("PRAGMA cipher_integrity_check").fetchall() == []
    assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    connection.close()


def test_the_migration_makes_exactly_the_tables_of_the_schema(access):
    database = Database(access)
    with database.read() as connection:
        options = {"target_metadata": schema.metadata, "version_table": schema.MIGRATION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []
        assert context.get_current_revision() == schema.MIGRATION_HEAD
    database.close()


def insert_machine(connection, name: str) -> None:
    row = {"rev": 1, "document_ct": b"x", "created_utc": "", "updated_utc": "", "row_mac": b""}
    connection.execute(schema.machine.insert().values(uuid=name, digest=name, **row))


def insert_machines(connection, *names: str) -> None:
    for name in names:
        insert_machine(connection, name)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE machine SET digest = 'z'", "DELETE FROM machine", "DELETE FROM store_meta",
        "INSERT OR REPLACE INTO machine SELECT * FROM machine", "REPLACE INTO machine SELECT * FROM machine",
    ],
)  # fmt: skip
def test_append_only_rows_stay(access, statement):
    database = Database(access)
    with database.write() as connection:
        insert_machine(connection, "a")
    with pytest.raises(sa.exc.IntegrityError, match="may not be changed"), database.write() as connection:
        connection.exec_driver_sql(statement)
    with database.read() as connection:
        assert connection.execute(sa.select(schema.machine.c.digest)).scalars().all() == ["a"]
    database.close()


def test_a_failed_transaction_leaves_nothing(access):
    database = Database(access)
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        insert_machines(connection, "a", "a")
    with database.read() as connection:
        assert connection.execute(sa.select(schema.machine)).all() == []
    database.close()


def test_a_writer_elsewhere_is_busy_and_nothing_is_written(access):
    mine, theirs = Database(access), Database(access)
    with theirs.write() as connection:
        insert_machine(connection, "theirs")
        with pytest.raises(DatabaseBusy, match="busy"), mine.write() as other:
            insert_machine(other, "mine")
    with mine.write() as connection:
        insert_machine(connection, "later")
    with mine.read() as connection:
        assert sorted(connection.execute(sa.select(schema.machine.c.uuid)).scalars()) == ["later", "theirs"]
    mine.close()
    theirs.close()


def test_a_reader_sees_one_state(access):
    mine, theirs = Database(access), Database(access)
    with theirs.write() as connection:
        insert_machine(connection, "a")
    with mine.read() as connection:
        assert len(connection.execute(sa.select(schema.machine)).all()) == 1
        with pytest.raises(DatabaseBusy), theirs.write() as other:
            insert_machine(other, "b")
        assert len(connection.execute(sa.select(schema.machine)).all()) == 1
    mine.close()
    theirs.close()


def test_a_full_disk_is_said_and_nothing_is_written(access):
    database = Database(access)
    with database.write() as connection:
        insert_machine(connection, "a")
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        driver = connection.connection.driver_connection
    driver.set_authorizer(None)
    driver.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull, match="full"), database.write() as connection:
        insert_machines(connection, *(f"b{number}" for number in range(1000)))
    with database.read() as connection:
        assert connection.execute(sa.select(schema.machine.c.uuid)).scalars().all() == ["a"]
    database.close()


def test_another_thread_is_refused(access):
    import threading

    database, seen = Database(access), []

    def use():
        try:
            with database.read():
                pass
        except RuntimeError as exc:
            seen.append(str(exc))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "thread that opened it" in seen[0]
    database.close()
