"""What there is to say about a cache of doses."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class CacheReport:
    """One cache as settings and the command line show it.

    Attributes
    ----------
    name : "workstation" or "network".
    folder : where its files of this site lie; "" if there is none.
    size_bytes : what lies there; None if that cannot be told.
    entries : how many doses; None if that cannot be told.
    limit_bytes : of the folder with all its sites; beyond it the least recently used doses are removed.
    is_working : whether doses are kept there and found.
    state : a sentence for the user.
    """

    name: str
    folder: str = ""
    size_bytes: int | None = None
    entries: int | None = None
    limit_bytes: int = 0
    is_working: bool
    state: str
