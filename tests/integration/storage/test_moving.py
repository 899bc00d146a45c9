"""A site moves to a server and back: every value, every file, every key; killed anywhere, it opens and goes on."""

from __future__ import annotations

import shutil
import socket

import attrs
import pytest

from ert.domain.account import Grant
from ert.domain.record import Severity
from ert.errors import AuditBroken, Cancelled, DatabaseBusy, NotPermitted, Refused, StorageFailed
from ert.storage import database_copy
from ert.storage.assembly import SiteOptions
from ert.storage.maintenance import SiteCare
from ert.storage.opening import DATABASE
from ert.storage.store_file import read_store_file
from tests.integration.storage import samples
from tests.integration.storage.test_renewal import killed_at

WHO = {"user_name": samples.LOGIN, "password": samples.PASSWORD}
DOSE = "cd" * 32


def quietly(_fraction, _text):
    """Nobody watches."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A site in a folder with one of everything, merged patients among them, and its plan."""
    root = tmp_path_factory.mktemp("filled") / "site"
    samples.make_site(root)
    site = samples.open_site(root)
    plan = samples.plan_of(samples.import_one(site))
    samples.import_one(site, seed=2, number="0815")
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    site.plans.save(samples.renamed(plan, "second"), base_revision=1)
    site.machines.add(name="LINAC 1", digest="ef" * 32, content=b"package\0" * 1000)
    site.close()
    return root, plan


@pytest.fixture
def root(filled, tmp_path):
    return shutil.copytree(filled[0], tmp_path / "site")


def to_server(root, server, *, anchors=None, progress=quietly):
    return samples.sites(anchors=anchors).move_to_server(root, **WHO, server=server, progress=progress)


def expect_whole(root, plan, *, anchors=None):
    site = samples.open_site(root, anchors=anchors)
    try:
        assert site.plans.load(plan.id).plan == samples.renamed(plan, "second")
        assert site.plans.dose(plan.id, DOSE) == samples.dose()
        assert len(site.patients.patients()) == 2
        assert [f for f in site.check() if f.severity is not Severity.NOTE] == []
        return site.database_place
    finally:
        site.close()


def test_there_and_back_with_everything(postgres, root, filled, tmp_path):
    anchors = tmp_path / "anchors"
    server = postgres.new_database()
    assert expect_whole(root, filled[1], anchors=anchors) == "in the site's folder"
    before = samples.open_site(root, anchors=anchors)
    events = [entry.event for entry in before.activity.entries(limit=100)]
    before.close()
    count = to_server(root, server, anchors=anchors)
    assert count > 20
    assert not (root / DATABASE).exists()
    assert len(list(root.glob("site.db.moved-*"))) == 1
    assert expect_whole(root, filled[1], anchors=anchors) == f"on the server {server.address.words}"
    site = samples.open_site(root, anchors=anchors)
    after = [entry.event for entry in site.activity.entries(limit=100)]
    assert "database moved to a server" in after
    assert after[-len(events) :] == events
    samples.import_one(site, seed=3, number="13")
    site.close()
    with pytest.raises(Refused, match="already"):
        to_server(root, server)
    kept = samples.sites(anchors=anchors).move_to_folder(root, **WHO, progress=quietly)
    assert kept.endswith("_retired")
    assert not (root / "keys" / "server.bin").exists()
    site = samples.open_site(root, anchors=anchors)
    assert (site.database_place, len(site.patients.patients())) == ("in the site's folder", 3)
    assert site.check() == ()
    site.close()
    to_server(root, server, anchors=anchors)
    samples.open_site(root, anchors=anchors).close()


def test_what_was_left_does_not_open_in_its_place_again(postgres, root, tmp_path):
    anchors = tmp_path / "anchors"
    samples.open_site(root, anchors=anchors).close()
    old_store = (root / "store.json").read_bytes()
    to_server(root, postgres.new_database(), anchors=anchors)
    (former,) = root.glob("site.db.moved-*")
    (root / "store.json").write_bytes(old_store)
    former.rename(root / DATABASE)
    with pytest.raises(AuditBroken, match="went back in time"):
        samples.open_site(root, anchors=anchors)


def test_nobody_may_have_it_open_and_only_an_administrator_moves_it(postgres, root):
    server = postgres.new_database()
    site = samples.open_site(root)
    with pytest.raises(DatabaseBusy, match="open"):
        to_server(root, server)
    site.accounts.add("anna", password="Radium-227!", grant=Grant())
    site.close()
    with pytest.raises(NotPermitted):
        samples.sites().move_to_server(root, user_name="anna", password="Radium-227!", server=server, progress=quietly)
    assert read_store_file(root)[0].database is None


def test_a_copy_that_differs_in_one_byte_is_not_used_and_nothing_is_left(postgres, root, filled, monkeypatch):
    server = postgres.new_database()
    real = database_copy._rows

    def damaged(connection, table):
        for row in real(connection, table):
            if table.name == "plan" and connection.dialect.name == "postgresql":
                row["name_ct"] = row["name_ct"][:-1] + bytes([row["name_ct"][-1] ^ 1])
            yield row

    monkeypatch.setattr(database_copy, "_rows", damaged)
    with pytest.raises(StorageFailed, match="differs"):
        to_server(root, server)
    monkeypatch.undo()
    count = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ert%'"
    assert postgres.execute(count, database=server.address.database) == [(0,)]
    assert expect_whole(root, filled[1]) == "in the site's folder"


def test_cancelling_leaves_the_site_where_it_is(postgres, root, filled):
    server = postgres.new_database()

    def cancel(fraction, _text):
        if fraction > 0.5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        to_server(root, server, progress=cancel)
    assert expect_whole(root, filled[1]) == "in the site's folder"


@pytest.mark.parametrize("way", ["to the server", "to the folder"])
def test_a_kill_at_any_step_leaves_a_site_that_opens(postgres, filled, tmp_path, way):
    def move(root):
        if way == "to the server":
            to_server(root, server)
        else:
            samples.sites().move_to_folder(root, **WHO, progress=quietly)

    steps = 0
    while True:
        server = postgres.new_database()
        root = shutil.copytree(filled[0], tmp_path / f"site-{steps}")
        if way == "to the folder":
            to_server(root, server)
        if not killed_at(steps + 1, lambda root=root: move(root)):
            break
        steps += 1
        expect_whole(root, filled[1])
        shutil.rmtree(root)
    assert steps >= 3


def test_a_backup_of_a_server_site_restores_to_a_folder_that_moves_again(postgres, root, filled, tmp_path):
    to_server(root, postgres.new_database())
    site = samples.open_site(root)
    info = site.start_backup(tmp_path / "backups").finish(level=4)
    assert info.is_good
    assert site.backups(tmp_path / "backups").verify(info.backup_id) == ()
    site.close()
    care = SiteCare(SiteOptions())
    assert care.check(root, **WHO, level=4, progress=quietly) == ()
    care.restore(tmp_path / "backups", "", to=tmp_path / "copy", **WHO, progress=quietly)
    care.activate(tmp_path / "copy", tmp_path / "new", **WHO, reason="a rehearsal")
    assert expect_whole(tmp_path / "new", filled[1]) == "in the site's folder"
    to_server(tmp_path / "new", postgres.new_database())
    assert expect_whole(tmp_path / "new", filled[1]).startswith("on the server")


def test_a_server_that_is_away_leaves_the_site_where_it_is(root, filled, postgres):
    login = postgres.new_database()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    away = attrs.evolve(login, address=attrs.evolve(login.address, port=port))
    with pytest.raises(StorageFailed, match="cannot be reached"):
        to_server(root, away)
    assert expect_whole(root, filled[1]) == "in the site's folder"
