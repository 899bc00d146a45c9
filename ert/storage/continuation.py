"""Whether an opened site is the one its folder and this workstation know, and as new as it was seen here."""

from __future__ import annotations

from attrs import frozen

from ert.storage.anchors import Anchors
from ert.storage.assembly import SITE_NAME_COLUMN, expect_same_site
from ert.storage.audit import Head
from ert.storage.records import Records
from ert.storage.restored import is_restored_copy
from ert.storage.store_file import StoreFile

COPY_MARK = " – RESTORED COPY, READ-ONLY"


@frozen(kw_only=True)
class Continued:
    """What was seen.

    Attributes
    ----------
    site_name : with a mark if it is a restored copy.
    remembered : the head this workstation saw last; None if it never saw the site.
    head : of the history now.
    is_continuation : whether the history goes on from what was remembered.
    """

    site_name: str
    remembered: Head | None
    head: Head
    is_continuation: bool


def look_whether_continued(records: Records, store: StoreFile, anchors: Anchors) -> Continued:
    """Compare site row, ``store.json`` and what this workstation remembers; note in `records` if it is a copy.

    Raises
    ------
    NotASite
        Database and ``store.json`` come from different states.
    """
    remembered = anchors.remembered(store.store_id)
    with records.database.read() as connection:
        meta = records.trail.read_meta(connection)
        head = records.trail.head(connection)
        is_continuation = remembered is None or records.trail.holds(connection, remembered)
        records.is_restored_copy = is_restored_copy(connection)
    expect_same_site(meta, store)
    name = records.guard.decrypt(meta[SITE_NAME_COLUMN], table="store_meta", row_id="1", column=SITE_NAME_COLUMN)
    mark = COPY_MARK if records.is_restored_copy else ""
    return Continued(
        site_name=name.decode("utf-8") + mark, remembered=remembered, head=head, is_continuation=is_continuation
    )
