"""What a physicist sees before signing a machine package, and the signature itself, with the password given again."""

from __future__ import annotations

import attrs

from ert.app.dose_service import Models
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.release_book import ReleaseBook, Releases, ReleaseStanding, ReleaseState
from ert.app.tissue_library import Run
from ert.commissioning.difference import compare_packages
from ert.domain.acceptance import AcceptanceTest, Verdict
from ert.domain.beam_model import MachinePackage
from ert.domain.library import LibraryEntry
from ert.domain.model_difference import PackageDifference
from ert.domain.release import MachineRelease, range_sentence
from ert.errors import Refused


@attrs.frozen(kw_only=True)
class AcceptanceRow:
    """One acceptance test with the energy and engine it was made for."""

    energy_mev: float
    engine: str
    test: AcceptanceTest


@attrs.frozen(kw_only=True)
class ReleaseView:
    """A package as it lies on the desk.

    Attributes
    ----------
    ranges : one sentence an energy.
    acceptance : every row of every table the package carries; empty in packages of older programs.
    released : the newest released package of that machine other than this one; None where there is none.
    history : revisions of this package's release, newest first.
    """

    package: MachinePackage
    standing: ReleaseStanding
    ranges: tuple[str, ...]
    acceptance: tuple[AcceptanceRow, ...]
    released: MachinePackage | None
    history: Releases

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """What must be known before signing, in sentences."""
        if not self.acceptance:
            return ("This package carries no acceptance table: it was commissioned by an older program.",)
        found = []
        for verdict, words in ((Verdict.FAILED, "failed"), (Verdict.NOT_MEASURED, "were not measured")):
            count = sum(row.test.verdict is verdict for row in self.acceptance)
            if count:
                found.append(f"{count} of {len(self.acceptance)} acceptance tests {words}.")
        return tuple(found)


@guarded
class ReleaseDesk:
    """Looks at packages and signs them.

    Parameters
    ----------
    store : whose password is asked for.
    run : where calls to the store run: the database lane, or directly.
    book : the releases of the site.
    """

    def __init__(self, store: SiteStore, run: Run, book: ReleaseBook) -> None:
        self._store, self._run, self._book = store, run, book

    def view(self, package: MachinePackage, models: Models) -> ReleaseView:
        """Everything to look at but the difference, which takes a computation."""
        others = [p for p in models.versions(package.machine.name) if p.digest != package.digest]
        released = [p for p in others if self._book.standing(p).state is ReleaseState.RELEASED]
        return ReleaseView(
            package=package,
            standing=self._book.standing(package),
            ranges=tuple(range_sentence(m) for m in package.models),
            acceptance=tuple(
                AcceptanceRow(energy_mev=a.energy_mev, engine=a.engine, test=t)
                for a in package.acceptance
                for t in a.tests
            ),
            released=max(released, key=self._version, default=None),
            history=self._book.history(package.digest),
        )

    def _version(self, package: MachinePackage) -> int:
        entry = self._book.standing(package).entry
        return 0 if entry is None else entry.value.version

    @staticmethod
    def difference(view: ReleaseView) -> PackageDifference | None:
        """What changes against the released package; None where there is none. Computes dose."""
        return None if view.released is None else compare_packages(view.released, view.package)

    def sign(
        self, view: ReleaseView, *, statement: str, password: str, is_short_accepted: bool
    ) -> LibraryEntry[MachineRelease]:
        """Release the package in the name of who is signed in.

        Raises
        ------
        Refused
            Demo machine, no statement, released already, or shortcomings that were not accepted.
        WrongKey
            The password is wrong; nothing was signed.
        StaleRevision
            A colleague was first.
        """
        if view.shortcomings and not is_short_accepted:
            raise Refused(
                f"{' '.join(view.shortcomings)} The release was not signed.",
                hint="Accept them with their consequences in the statement, or commission again.",
            )
        self._run(lambda: self._store.confirm_password(password))
        return self._book.release(view.package, statement)

    def withdraw(self, view: ReleaseView, *, reason: str, password: str) -> LibraryEntry[MachineRelease]:
        """Take the release back; raises `Refused` without a reason, `NotFound`, `WrongKey`."""
        self._run(lambda: self._store.confirm_password(password))
        return self._book.withdraw(view.package.digest, reason)
