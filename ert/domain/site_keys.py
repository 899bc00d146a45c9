"""How the keys of a site stand, as far as it may be shown."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class KeyState:
    """Numbers only; never a key.

    Attributes
    ----------
    ring : how often the master key was renewed, plus one.
    generation : of the data keys in use; 1 if they were never renewed.
    is_renewing : whether a renewal of the data keys was interrupted; the command that began it finishes it.
    passwords, recovery_codes, workstations, envelopes : ways into the site.
    unreadable : names of the files in the folder of key slots that cannot be read; they are counted nowhere.
    earlier_files, earlier_bytes : encrypted files that are still under earlier data keys.
    """

    ring: int
    generation: int
    is_renewing: bool
    passwords: int
    recovery_codes: int
    workstations: int
    envelopes: int
    unreadable: tuple[str, ...]
    earlier_files: int
    earlier_bytes: int
