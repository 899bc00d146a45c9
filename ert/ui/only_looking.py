"""Says before anything is typed that it could not be saved: screens mirror rights, services hold them."""

from __future__ import annotations

from ert.domain.account import Account, Right, source_of
from ert.ui.widgets import MessageStrip


def say_if_only_looking(strip: MessageStrip, account: Account, right: Right, doing: str) -> bool:
    """Tell who lacks a right what is missing and who can give it; True if it is missing."""
    if right in account.rights:
        return False
    strip.show_note(
        f"You can look at everything here; {doing} needs {source_of(right)}, which an administrator of this site can "
        "give you."
    )
    return True
