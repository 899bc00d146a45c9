"""Which machine packages of a site a physicist has released; signing and withdrawing."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator, Sequence

import attrs

from ert.app.exclusive import holding
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.tissue_library import Run
from ert.domain.beam_model import MachinePackage
from ert.domain.library import LibraryEntry, LibraryState
from ert.domain.release import MachineRelease, make_release
from ert.errors import NotFound, Refused

Releases = tuple[LibraryEntry[MachineRelease], ...]


class ReleaseState(enum.StrEnum):
    """Whether a package may be planned with."""

    DEMO = "demo"
    NOT_RELEASED = "not released"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"


@attrs.frozen(kw_only=True)
class ReleaseStanding:
    """State of a package, and the newest revision of its release if there is one."""

    state: ReleaseState
    entry: LibraryEntry[MachineRelease] | None = None

    @property
    def short_text(self) -> str:
        """For narrow places: state and version."""
        return self.state.value if self.entry is None else f"{self.state.value}, version {self.entry.value.version}"

    @property
    def text(self) -> str:
        """For lists: state, version, who, when."""
        if self.entry is None:
            return self.state.value
        who = f"{self.entry.saved_by}, {self.entry.saved_at.astimezone():%Y-%m-%d %H:%M}"
        return f"{self.state.value} (version {self.entry.value.version}; {who})"


@guarded
class ReleaseBook:
    """The releases of a site, read once and after every change.

    Parameters
    ----------
    run : where calls to the store run: the database lane, or directly.
    """

    def __init__(self, store: SiteStore, run: Run) -> None:
        self._store, self._run = store, run
        self._histories: tuple[Releases, ...] = ()
        self._read()

    def refresh(self) -> None:
        """Read everything again."""
        self._read()

    @contextlib.contextmanager
    def _alone(self, doing: str) -> Iterator[None]:
        """Nobody else changes machines or releases meanwhile; what colleagues did until now is read first."""
        locks = self._store.locks
        with holding(locks, self._run, lambda: locks.take_machines(doing=doing)):
            self._read()
            yield

    def _read(self) -> None:
        store = self._store
        self._histories = self._run(store.releases.history)

    def history(self, package_digest: str) -> Releases:
        """All revisions of a package's release, newest first; empty if it was never released."""
        for history in self._histories:
            if history[0].value.package_digest == package_digest:
                return history
        return ()

    def standing(self, package: MachinePackage) -> ReleaseStanding:
        """How a package stands."""
        if package.is_demo:
            return ReleaseStanding(state=ReleaseState.DEMO)
        history = self.history(package.digest)
        if not history:
            return ReleaseStanding(state=ReleaseState.NOT_RELEASED)
        newest = history[0]
        state = ReleaseState.RELEASED if newest.is_in_use else ReleaseState.WITHDRAWN
        return ReleaseStanding(state=state, entry=newest)

    def best_standing(self, packages: Sequence[MachinePackage]) -> ReleaseStanding:
        """How a model stands that is in several packages: one release is enough, a withdrawal outweighs silence."""
        order = (ReleaseState.RELEASED, ReleaseState.WITHDRAWN, ReleaseState.DEMO, ReleaseState.NOT_RELEASED)
        return min((self.standing(p) for p in packages), key=lambda standing: order.index(standing.state))

    def release(self, package: MachinePackage, statement: str) -> LibraryEntry[MachineRelease]:
        """Sign a package; a withdrawn one is signed again under its version.

        Raises
        ------
        Refused
            Demo machine, empty statement, or released already.
        LockHeld
            A colleague works on the machines of the site.
        LockLost, StaleRevision
            A colleague was first.
        """
        with self._alone(f"signing the release of machine '{package.machine.name}'"):
            return self._release(package, statement)

    def _release(self, package: MachinePackage, statement: str) -> LibraryEntry[MachineRelease]:
        history = self.history(package.digest)
        if history and history[0].is_in_use:
            raise Refused(f"This package of '{package.machine.name}' is released already.")
        if history:
            version = history[0].value.version
        else:
            version = 1 + sum(h[0].value.machine_name == package.machine.name for h in self._histories)
        made = make_release(package, version=version, statement=statement)
        if history:
            made = attrs.evolve(made, id=history[0].value.id)
        base = history[0].revision if history else 0
        entry = self._run(lambda: self._store.releases.save(made, base_revision=base))
        self.refresh()
        return entry

    def withdraw(self, package_digest: str, reason: str) -> LibraryEntry[MachineRelease]:
        """Take a release back; plans made with the package keep their dose and say so.

        Raises
        ------
        NotFound
            The package was never released.
        Refused
            It is withdrawn already, or no reason is given.
        LockHeld, LockLost, StaleRevision
            A colleague works on the machines of the site, or was first.
        """
        with self._alone("withdrawing the release of a machine"):
            return self._withdraw(package_digest, reason)

    def _withdraw(self, package_digest: str, reason: str) -> LibraryEntry[MachineRelease]:
        history = self.history(package_digest)
        if not history:
            raise NotFound("That package was never released.")
        newest = history[0]
        if not newest.is_in_use:
            raise Refused(f"The release of '{newest.value.machine_name}' is withdrawn already.")
        if not reason.strip():
            raise Refused("Say why the release is withdrawn.", hint="The reason goes into the site's history.")
        entry = self._run(
            lambda: self._store.releases.save(
                newest.value, base_revision=newest.revision, state=LibraryState.WITHDRAWN, reason=reason.strip()
            )
        )
        self.refresh()
        return entry
