"""A workstation and its site in one folder, and everything that can be told apart of what the site holds.

::

    site/  drafts/  anchors/  cache/  backups/  out/restored

The names of records are made once in the process that forks, so that a site before and after an operation can be
compared between runs: all rows without times, codes, ciphers and random names of files and revisions; the history's
events; which keys are in use.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import attrs
import sqlalchemy as sa

from ert.settings import CacheSettings
from ert.storage import schema
from ert.storage.assembly import SiteOptions
from ert.storage.maintenance import SiteCare
from ert.storage.site import Site
from ert.storage.sites import Sites
from ert.storage.store_file import SANDBOX
from tests.integration.storage import samples

NEW_PASSWORD = "Polonium-210!"
WHO = {"user_name": samples.LOGIN, "password": samples.PASSWORD}
_OF_THIS_RUN = {
    "created_utc",
    "updated_utc",
    "row_mac",
    "path",
    "size",
    "sha256_cipher",
    "head_seq",
    "head_h",
    "fencing_token",
}
_RANDOM_IDS = ("_revision", "file", "dose", "machine")
_OF_RANDOM_IDS = ("dose", "machine")
_RUNNING_OUT = {"exclusive_lock"}  # whoever holds one may be killed; it runs out by itself
_FREQUENT = {"signed in", "password slot noted", "unused files cleared away"}


def quiet(_fraction: float, _text: str) -> None:
    """Nobody watches."""


@attrs.frozen
class Scene:
    """Where everything lies."""

    folder: Path

    @property
    def root(self) -> Path:
        """The site."""
        return self.folder / "site"

    @property
    def backups(self) -> Path:
        """Its backups."""
        return self.folder / "backups"

    @property
    def restored(self) -> Path:
        """A restored copy."""
        return self.folder / "out" / "restored"

    @property
    def options(self) -> SiteOptions:
        """Of the workstation: it remembers sites, keeps drafts and caches doses, all below the folder."""
        cache = CacheSettings(folder=str(self.folder / "cache"))
        return SiteOptions(
            anchor_folder=self.folder / "anchors", draft_folder=self.folder / "drafts", cache_settings=lambda: cache
        )

    @property
    def sites(self) -> Sites:
        """Its sites; their passwords cost nothing."""
        return Sites(self.options, kind=SANDBOX, kdf=samples.FAST)

    @property
    def care(self) -> SiteCare:
        """Its checks and restores."""
        return SiteCare(self.options)

    def open(self, root: Path | None = None, *, password: str = samples.PASSWORD) -> Site:
        """Open the site."""
        return self.sites.open(root or self.root, user_name=samples.LOGIN, password=password)

    def copied(self, folder: Path) -> Scene:
        """The same, elsewhere."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Scene(folder)


@attrs.frozen
class Facts:
    """What a site holds.

    Attributes
    ----------
    rows : of each table of records.
    events : of the history, with the revision they made; signing in and sweeping, which judging does too, are left out.
    keys : generation, and how many files are of an earlier one.
    """

    rows: dict[str, tuple[Any, ...]]
    events: tuple[Any, ...]
    keys: tuple[Any, ...]


def facts_of(site: Site) -> Facts:
    """Read everything there is of an opened site."""
    with site.records.database.read() as connection:
        tables = [t for t in (*schema.RECORD_TABLES, schema.store_meta) if t.name not in _RUNNING_OUT]
        rows = {table.name: _rows(connection, table) for table in tables}
        history = schema.history
        query = sa.select(history.c.event, history.c.record_rev).order_by(history.c.seq)
        events = tuple(tuple(row) for row in connection.execute(query) if row[0] not in _FREQUENT)
    state = site.keys.state()
    return Facts(rows=rows, events=events, keys=(state.generation, state.earlier_files))


def _rows(connection: sa.Connection, table: sa.Table) -> tuple[Any, ...]:
    skipped = _OF_THIS_RUN | ({"uuid"} if table.name.endswith(_RANDOM_IDS) else set())
    columns = [c for c in table.c if c.name not in skipped and not c.name.endswith("_ct")]
    rows = [dict(row) for row in connection.execute(sa.select(*columns)).mappings()]
    for row in rows:
        if row.get("owner_table") in _OF_RANDOM_IDS:
            row["owner"] = ""
    return tuple(sorted((tuple(row.values()) for row in rows), key=repr))


def load_everything(site: Site, *, but: str = "") -> int:
    """Read every revision of every plan and every dose as a user would; return how many records there were.

    The plan of the id `but` is left to the caller: reading a long one takes longer than all the rest.
    """
    found = 0
    with site.records.database.read() as connection:
        plans = connection.execute(sa.select(schema.plan_revision.c.plan, schema.plan_revision.c.rev)).all()
        doses = connection.execute(sa.select(schema.dose.c.plan, schema.dose.c.request_digest)).all()
    for plan_id, revision in (row for row in plans if row[0] != but):
        found += site.plans.load(plan_id, revision).revision == revision
    for plan_id, request in (row for row in doses if row[0] != but):
        found += site.plans.dose(plan_id, request) is not None
    for who in site.patients.patients():
        for course in site.patients.courses(who.id):
            site.patients.image(course.image_id)
            site.patients.structure_set(course.structure_set_id)
            found += 1
    found += len(site.machines.packages()) + len(site.releases.history())
    return found
