"""The storage suite runs twice: with the rows in the site's folder, and on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.storage import samples
from tests.integration.storage.postgres import PostgresServer, binaries

FOLDER, SERVER = "folder", "server"
# Modules whose subject is what the repositories promise; those that look into the encrypted file itself run once.
ON_BOTH = {
    "test_accounts", "test_activity", "test_backup", "test_drafts", "test_library", "test_patient_admin", "test_people",
    "test_releases", "test_renewal", "test_restore", "test_site",
}  # fmt: skip


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server; a test that asks for it is skipped where its programs are not installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("needs the server programs of PostgreSQL (Debian: postgresql)")
    server = PostgresServer.start(programs)
    yield server
    server.remove()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is promised of both on both."""
    is_subject = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH
    if is_subject and not any(metafunc.definition.iter_markers("folder_only")):
        metafunc.parametrize("rows_lie", [FOLDER, SERVER], indirect=True)


@pytest.fixture(autouse=True)
def rows_lie(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the sites of a test keep their rows."""
    where = getattr(request, "param", FOLDER)
    if where == FOLDER:
        yield where
        return
    server = request.getfixturevalue("postgres")
    samples.OnServer.server = server
    yield where
    samples.OnServer.server = None
    server.drop_databases()
