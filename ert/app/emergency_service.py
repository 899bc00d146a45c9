"""The sealed envelope for emergencies, as administrators make, renew and withdraw it."""

from __future__ import annotations

from collections.abc import Callable

from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.record_ports import PendingCode
from ert.app.tissue_library import Run
from ert.domain.emergency import Envelope


@guarded
class EmergencyService:
    """What an administrator does about emergency access; changes need a confirmation as those of accounts do.

    Parameters
    ----------
    store : SiteStore
    run : callable
        Where calls to the store run: the database lane, or directly.
    confirm : callable
        Raises `NotPermitted` if who is signed in was not asked for a proof of it a moment ago.
    """

    def __init__(self, store: SiteStore, run: Run, confirm: Callable[[], None]) -> None:
        self._store, self._run, self._confirm = store, run, confirm

    def envelope(self) -> Envelope | None:
        """The envelope whose code opens the site; None if there is none."""
        return self._run(self._store.emergency.envelope)

    def prepare(self) -> PendingCode:
        """Begin an envelope: its code is shown once, and counts once it was typed back from the sheet."""
        self._confirm()
        return self._store.emergency.prepare()

    def confirm(self, pending: PendingCode, typed: str) -> None:
        """Put it into use, the former one ends; raises `InvalidSite` if it was not typed back right."""
        self._run(lambda: pending.confirm(typed))

    def withdraw(self) -> None:
        """Let no code open the site any more; raises `NotFound` if there is none."""
        self._confirm()
        self._run(self._store.emergency.withdraw)
