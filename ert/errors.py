"""Every error ERT raises on purpose.

::

    ErtError
    ├─ Refused       the user can put it right; shown at the field
    │   ├─ InvalidPlan  ImportRejected  OutsideModel  NotPermitted  NotManufacturable
    │   ├─ InvalidBeamData  ExportRejected
    │   └─ InvalidSite  NotFound  SignInLocked  SignInExpired
    ├─ Conflict      a colleague was first; the user chooses
    │   └─ StaleRevision  PlanLocked  OrderAlreadySent  LockHeld  LockLost
    ├─ Unavailable   the world failed; trying again may help
    │   └─ DatabaseBusy  DiskFull  StorageFailed  NetworkDown  VendorRejected  KeyStoreFailed
    ├─ Untrusted     stop, change nothing, call physics
    │   └─ BadTag  DigestMismatch  SchemaTooNew  SelfTestFailed  AuditBroken  WrongKey  NotASite
    │                  (SchemaTooOld is a NotASite that can be brought up to date)
    │                  IdentityRefused
    └─ Cancelled     control flow; never shown

Anything else that is raised is a fault of ours.
"""

from __future__ import annotations


class ErtError(Exception):
    """Base of all deliberate errors.

    Parameters
    ----------
    sentence : str
        One sentence for the user: what is wrong and where.
    hint : str
        What the user can do about it.
    detail : str
        For the log only; must not hold patient data.
    """

    code = "ERT-000"

    def __init__(self, sentence: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}".strip()


class Refused(ErtError):
    """The user can put it right."""

    code = "ERT-100"


class InvalidPlan(Refused):
    """A plan, beam or prescription breaks a rule of the domain."""

    code = "ERT-110"


class ImportRejected(Refused):
    """DICOM objects that cannot be taken in as one consistent patient."""

    code = "ERT-120"


class OutsideModel(Refused):
    """Asked for something the beam model was not commissioned for."""

    code = "ERT-130"


class NotPermitted(Refused):
    """The signed-in user lacks the right."""

    code = "ERT-140"


class NotManufacturable(Refused):
    """A device that cannot be made."""

    code = "ERT-150"


class InvalidBeamData(Refused):
    """A beam data folder or machine package that cannot be used."""

    code = "ERT-160"


class ExportRejected(Refused):
    """Something that may not or cannot be written as DICOM."""

    code = "ERT-170"


class InvalidSite(Refused):
    """A site that cannot be created or changed as asked."""

    code = "ERT-180"


class NotFound(Refused):
    """No record of that id in this site."""

    code = "ERT-190"


class SignInLocked(Refused):
    """Too many attempts to sign in failed."""

    code = "ERT-195"


class SignInExpired(Refused):
    """The sign-in provider no longer vouches for who is signed in; signing in again goes on."""

    code = "ERT-196"


class Conflict(ErtError):
    """A colleague was first."""

    code = "ERT-200"


class StaleRevision(Conflict):
    """The record was saved by somebody else after it was opened."""

    code = "ERT-210"


class PlanLocked(Conflict):
    """An approved plan cannot be edited."""

    code = "ERT-220"


class OrderAlreadySent(Conflict):
    """The order has left."""

    code = "ERT-230"


class LockHeld(Conflict):
    """Somebody else does at this moment what only one may do at a time."""

    code = "ERT-240"


class LockLost(Conflict):
    """An exclusive lock was taken over by somebody else while its owner gave no sign of life."""

    code = "ERT-250"


class Unavailable(ErtError):
    """The world failed; a later try may succeed."""

    code = "ERT-300"


class DatabaseBusy(Unavailable):
    """The database stayed locked longer than the retry budget."""

    code = "ERT-310"


class DiskFull(Unavailable):
    """No space left where the site is stored."""

    code = "ERT-320"


class StorageFailed(Unavailable):
    """Reading or writing the site failed below ERT."""

    code = "ERT-330"


class NetworkDown(Unavailable):
    """No answer from the network."""

    code = "ERT-340"


class VendorRejected(Unavailable):
    """The vendor refused an order; trying again does not help."""

    code = "ERT-350"


class KeyStoreFailed(Unavailable):
    """The key store of the operating system is missing, not safe, or locked."""

    code = "ERT-360"


class Untrusted(ErtError):
    """Stop, change nothing, call physics."""

    code = "ERT-400"


class BadTag(Untrusted):
    """Encrypted data does not authenticate: changed, cut, moved or swapped."""

    code = "ERT-410"


class DigestMismatch(Untrusted):
    """Content is not what its record says it is."""

    code = "ERT-420"


class SchemaTooNew(Untrusted):
    """Written by a newer version of the program."""

    code = "ERT-430"


class SelfTestFailed(Untrusted):
    """A known answer did not come out."""

    code = "ERT-440"


class AuditBroken(Untrusted):
    """The history chain does not verify."""

    code = "ERT-450"


class WrongKey(Untrusted):
    """Not this site's password, code or key."""

    code = "ERT-460"


class NotASite(Untrusted):
    """The folder is no ERT site, or its database is not encrypted."""

    code = "ERT-470"


class SchemaTooOld(NotASite):
    """Written by an older version of the program; it is brought up to date before it is used."""

    code = "ERT-480"


class IdentityRefused(Untrusted):
    """An answer of a sign-in provider, or of the browser, that breaks a rule."""

    code = "ERT-490"


class Cancelled(ErtError):
    """The user asked a job to stop."""

    code = "ERT-900"
