"""What administering records and keys needs from the site's store; parts of ``SiteStore`` (ports.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from ert.domain.administration import PatientRecord
from ert.domain.library import LibraryEntry, LibraryState
from ert.domain.password import PasswordRule
from ert.domain.patient import Patient
from ert.domain.site_keys import KeyState

T = TypeVar("T")


class PatientAdministration(Protocol):
    """Changes of patients' records; each is noted with before, after and the reason, and can be undone."""

    def records(self) -> tuple[PatientRecord, ...]:
        """Every record, merged and inactive ones too, by name."""

    def was_changed(self, patient_id: str) -> bool:
        """Whether a record's identity was ever corrected, or it is merged into another."""

    def correct(self, seen: PatientRecord, patient: Patient, *, reason: str) -> PatientRecord:
        """Give a record another identity; `StaleRevision` if a colleague changed it since it was seen."""

    def merge(self, source: PatientRecord, into: PatientRecord, *, reason: str) -> PatientRecord:
        """Make a record part of another."""

    def unmerge(self, source: PatientRecord, *, reason: str) -> PatientRecord:
        """Let a merged record stand for itself again."""

    def set_active(self, seen: PatientRecord, *, is_active: bool, reason: str) -> PatientRecord:
        """Hide a record from lists, or show it again."""


class LibraryStore(Protocol[T]):
    """What the site keeps of its own in revisions: CT curves, materials."""

    def history(self) -> tuple[tuple[LibraryEntry[T], ...], ...]:
        """Every revision of every entry, oldest entry first, each entry's newest revision first."""

    def save(
        self, value: T, *, base_revision: int, state: LibraryState = LibraryState.IN_USE, reason: str = ""
    ) -> LibraryEntry[T]:
        """Save the next revision; ``base_revision`` is 0 for a new entry.

        Raises `StaleRevision` if the store has another newest one, `Refused` if the name is taken.
        """


class PasswordRules(Protocol):
    """What a site asks of passwords."""

    def read(self) -> PasswordRule:
        """The rule that counts."""

    def save(self, value: PasswordRule) -> None:
        """Have a rule count for every password set from now on."""


class LockLease(Protocol):
    """An exclusive lock somebody has."""

    @property
    def token(self) -> int:
        """Number of its taking; a later one is higher."""


class ExclusiveLocks(Protocol):
    """What only one may do at a time at a site; each `take` raises `LockHeld` with who, where and since when."""

    def take_machines(self, *, doing: str) -> LockLease:
        """Lock machine packages, configurations and releases; ``doing`` as in "NAME is …"."""

    def take_plan(self, plan_id: str, *, doing: str) -> LockLease:
        """Lock one plan: nobody else saves it meanwhile."""

    def release(self, lease: Any) -> None:  # noqa: ANN401 - what `take_…` returned, opaque here
        """Give a lock back; never raises, one that cannot be given back runs out by itself."""


class PendingCode(Protocol):
    """A recovery or emergency code that does not count before it was typed back."""

    @property
    def code(self) -> str:
        """To be printed and kept away from the computer."""

    def confirm(self, typed_code: str) -> None:
        """Put it into use; `Refused` if the typed code differs."""

    def discard(self) -> None:
        """Forget it."""


class EarlierFile(Protocol):
    """An encrypted file under data keys that are no longer in use."""

    @property
    def size(self) -> int:
        """Bytes."""


class SiteKeys(Protocol):
    """The keys of an opened site."""

    def state(self) -> KeyState:
        """How they stand."""

    def prepare_recovery_code(self) -> PendingCode:
        """Begin a new recovery code; it counts once it was typed back."""

    def renew_master_key(self) -> None:
        """Put a fresh master key into use."""

    def earlier_files(self) -> Sequence[EarlierFile]:
        """Files that are not under the data keys in use."""

    def renew_file(self, stored: Any) -> None:  # noqa: ANN401 - one of `earlier_files`, opaque here
        """Write one of them under the keys in use."""

    def note_renewed_files(self, count: int) -> None:
        """Note in the history how many were."""
