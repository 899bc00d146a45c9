"""Whether locks work where a site lies: known by how it is mounted, and seen while colleagues are at work.

A share that grants a lock twice lets two programs write the database at once, which damages it. Some mounts say that
they do not lock (``nolock``, ``nobrl``, …). Others only show it: a colleague's lock is to be had while the colleague
still beats (`LockWatch`). Beats are compared with what this process saw before, never with a clock of another computer.
"""

from __future__ import annotations

import os
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
_UNLOCKED_OPTIONS = frozenset({"nolock", "nobrl", "local_lock=all", "local_lock=flock", "local_lock=posix"})
_UNLOCKED_KINDS = frozenset({"drvfs", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.goofys"})
NO_LOCKS = (
    "This disk or share does not lock: two programs could write at once and damage the site. Nothing is saved here any "
    "more, plans can be looked at, and edits are kept on this workstation."
)


def mount_without_locks(root: Path, mounts: str) -> str:
    """Return the kind and options of a mount that is known not to lock; "" if nothing is known against it.

    Parameters
    ----------
    root : Path
        A folder, absolute and resolved.
    mounts : str
        The table of mounts (proc(5), ``/proc/self/mounts``); octal escapes in its paths are understood.
    """
    best, found = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 4:  # noqa: PLR2004 - device, place, kind, options
            continue
        place = Path(os.fsdecode(fields[1].encode().decode("unicode_escape").encode("latin-1")))
        if not root.is_relative_to(place) or len(place.parts) < best:
            continue
        best = len(place.parts)
        bad = sorted(_UNLOCKED_OPTIONS & set(fields[3].split(",")))
        is_windows_drive = fields[2] == "9p" and "aname=drvfs" in fields[3]
        is_bad = bool(bad) or fields[2] in _UNLOCKED_KINDS or is_windows_drive
        found = f"{fields[2]} {','.join(bad)}".strip() if is_bad else ""
    return found


def known_not_to_lock(root: Path) -> str:
    """Return the kind of mount a folder lies on if it is known not to lock; "" otherwise, and on other systems."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        return mount_without_locks(root.resolve(), mounts)
    except OSError:
        return ""  # what the mount says cannot be known here; what is seen still counts


def locks_refused(root: Path) -> str:
    """Return why a site's folder must not be written, as a sentence; "" if nothing is known against it."""
    kind = known_not_to_lock(root)
    return f"{NO_LOCKS} (It is mounted as {kind}.)" if kind else ""


class LockWatch:
    """Judges locks by what is seen of other sessions: a free lock whose owner goes on beating proves them broken."""

    def __init__(self) -> None:
        self._beats: dict[str, int] = {}
        self._unchanged: dict[str, int] = {}
        self.is_broken = False

    def saw_free(self, session_id: str, beat: int) -> int:
        """A session's lock was to be had; return how many looks in a row it has not beaten."""
        before = self._beats.get(session_id)
        self._beats[session_id] = beat
        if before is not None and beat > before:
            self.is_broken = True
        self._unchanged[session_id] = self._unchanged.get(session_id, 0) + 1 if before == beat else 0
        return self._unchanged[session_id]

    def forget(self, session_id: str) -> None:
        """Its lock is held, or its file is gone."""
        self._beats.pop(session_id, None)
        self._unchanged.pop(session_id, None)
