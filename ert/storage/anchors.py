"""What this workstation remembers of a site: the last head of its history.

An older copy of the whole site verifies in itself; only somebody who saw a later state can tell. The head is kept
outside the site, in the user's profile, as ``<store id>.json``; beside it stands why it ever went back.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import uuid
from pathlib import Path

from ert import strictjson
from ert.errors import AuditBroken
from ert.storage.atomic import UNFINISHED, remove_left_unfinished, remove_unfinished, translated
from ert.storage.audit import Head


class Anchors:
    """Remembered heads of sites.

    Parameters
    ----------
    folder : Path or None
        Where they are kept; None remembers nothing (tests, one-way copies).
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def remembered(self, store_id: str) -> Head | None:
        """Return the head last seen here; None if never, or if a power cut destroyed the note."""
        if self._folder is None:
            return None
        path = self._folder / f"{store_id}.json"
        remove_left_unfinished(self._folder)
        with translated("reading this workstation's memory of the site"):
            if not path.is_file():
                return None
            data = path.read_bytes()
        with contextlib.suppress(ValueError, KeyError, TypeError):
            note = strictjson.load(data)
            return Head(seq=int(note["seq"]), code=bytes.fromhex(note["h"]))
        return None

    def remember(self, store_id: str, head: Head) -> None:
        """Note a head; not flushed: an older note only remembers less."""
        if self._folder is None:
            return
        with translated("writing this workstation's memory of the site"):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            tmp = self._folder / f"{store_id}.{uuid.uuid4()}{UNFINISHED}"
            try:
                tmp.write_bytes(strictjson.dump({"seq": head.seq, "h": head.code.hex()}))
                tmp.replace(self._folder / f"{store_id}.json")
            except BaseException:
                remove_unfinished(tmp)
                raise

    def note_restore(self, store_id: str, remembered: Head | None, found: Head, reason: str, when: dt.datetime) -> None:
        """Note why a site went back in time, in ``<store id>.restores.jsonl``; nothing there is ever overwritten."""
        if self._folder is None:
            return
        seen = None if remembered is None else {"seq": remembered.seq, "h": remembered.code.hex()}
        line = {"utc": when.isoformat(), "reason": reason, "remembered": seen}
        line["accepted"] = {"seq": found.seq, "h": found.code.hex()}
        with translated("writing this workstation's memory of the site"):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self._folder / f"{store_id}.restores.jsonl").open("ab") as out:
                out.write(strictjson.dump(line) + b"\n")
                out.flush()
                os.fsync(out.fileno())


def went_back(remembered: Head, found: Head) -> AuditBroken:
    """Return the error for a site whose history is not a continuation of what was seen before."""
    return AuditBroken(
        "This site's storage went back in time: this workstation has seen a later state of it.",
        hint="If a backup was restored on purpose, an administrator says so with 'ert site accept-restore'; otherwise "
        "call physics.",
        detail=f"remembered history row {remembered.seq}, found head {found.seq}",
    )
