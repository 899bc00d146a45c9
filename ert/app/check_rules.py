"""The limits by which a site judges second checks: its own in the newest revision, or the program's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.domain.library import LibraryEntry
from ert.domain.second_check import DEFAULT_SOURCE, CheckTolerances, SiteTolerances
from ert.errors import Refused


@attrs.frozen(kw_only=True)
class RuleInUse:
    """Limits, and whose they are, for the record of each check."""

    tolerances: CheckTolerances
    source: str


@guarded
class CheckRules:
    """Reads and sets the limits.

    Parameters
    ----------
    store : SiteStore
    run : callable
        Runs a function where the store may be used.
    """

    def __init__(self, store: SiteStore, run: Callable[[Callable[[], Any]], Any]) -> None:
        self._store, self._run = store, run

    def history(self) -> tuple[LibraryEntry[SiteTolerances], ...]:
        """Every revision, newest first; empty while the site has set none.

        Raises
        ------
        BadTag, DigestMismatch
            A revision is not what was saved.
        """
        found: tuple[tuple[LibraryEntry[SiteTolerances], ...], ...] = self._run(self._store.check_tolerances.history)
        return found[0] if found else ()

    def in_use(self) -> RuleInUse:
        """The limits that hold now; read anew, since a colleague may have changed them."""
        history = self.history()
        if not history:
            return RuleInUse(tolerances=CheckTolerances(), source=DEFAULT_SOURCE)
        return RuleInUse(
            tolerances=history[0].value.tolerances, source=f"the site's limits, revision {history[0].revision}"
        )

    def save(self, tolerances: CheckTolerances, reason: str) -> LibraryEntry[SiteTolerances]:
        """Make limits the site's; checks made before keep those they were judged by.

        Raises
        ------
        Refused
            They are those in use, or no reason is given.
        StaleRevision
            A colleague set others in the meantime.
        """
        history = self.history()
        if self.in_use().tolerances == tolerances:
            raise Refused("These limits of the second check are in use already.")
        if not history:
            value, base = SiteTolerances(tolerances=tolerances, reason=reason.strip()), 0
        else:
            value = attrs.evolve(history[0].value, tolerances=tolerances, reason=reason.strip())
            base = history[0].revision
        entry: LibraryEntry[SiteTolerances] = self._run(
            lambda: self._store.check_tolerances.save(value, base_revision=base, reason=value.reason)
        )
        return entry
