"""What the user is told when something failed."""

from __future__ import annotations

from ert import logs
from ert.errors import ErtError


def sentence_of(error: BaseException) -> str:
    """The sentence of a deliberate error, or the code under which a fault is found in the log."""
    if isinstance(error, ErtError):
        return str(error)
    code = logs.record_fault(error)
    return (
        f"Internal fault {code}. Please report it with the lines of this code in {logs.log_folder() / 'ert.log'}; "
        "they hold no patient data."
    )
