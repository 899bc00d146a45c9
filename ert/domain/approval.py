"""What is signed when a plan is approved, and when an approval ends. Values only; no keys, no clock.

The signature covers the canonical bytes of the value (`ert.domain.identity.canonical_bytes`), so every field below is
part of what was signed.
"""

from __future__ import annotations

import datetime as dt

import attrs
import numpy as np

from ert.domain.dose import NUMERICS_VERSION, DoseResult, plan_dose_gy
from ert.domain.identity import array_digest, canonical_bytes, digest_of, new_id
from ert.domain.image import CtImage
from ert.domain.plan import Plan
from ert.domain.record import PlanStatus
from ert.domain.structure import StructureSet
from ert.errors import DigestMismatch, Refused

MEANING = (
    "I have checked this plan and its dose against the prescription and the patient's images, and approve exactly what "
    "is recorded here for treatment."
)
DO_NOT_TREAT = "DO NOT TREAT – integrity failure"
_LEAST_REASON, _MOST_REASON = 10, 1000
_DOMAIN = "ert-approval/1"


@attrs.frozen(kw_only=True)
class ApprovedBeam:
    """One beam as it was approved.

    Attributes
    ----------
    mu : per fraction.
    request_digest : of what its dose depends on.
    dose_digest : of its dose in Gy/MU, as pinned.
    errors_digest : of a Monte Carlo's standard errors; "" without.
    machine_digest, model_digest : of the machine version and the beam model.
    release : whose word the model stands on, for example ``version 2, A. Bauer, 2026-02-03``.
    """

    number: int
    name: str
    mu: float
    request_digest: str
    dose_digest: str
    errors_digest: str
    engine: str
    machine_name: str
    machine_digest: str
    model_digest: str
    release: str


@attrs.frozen(kw_only=True)
class Confirmed:
    """One line of the checklist, or one warning, that the approver confirmed."""

    code: str
    sentence: str


@attrs.frozen(kw_only=True)
class Approval:
    """One plan as approved. Fields of the signer are filled in where the plan is signed.

    Attributes
    ----------
    revision : of the plan, the one that is approved.
    plan_digest : of every field of the plan.
    inputs_digest : of everything the dose and its prescription depend on, without names (`inputs_digest`).
    plan_dose_digest : of the sum of the beams in Gy.
    software, numerics_version : what computed and checked it.
    second_check : engine and outcome of the second check.
    checklist, warnings : what was confirmed, in the words shown.
    meaning : of the signature.
    user_id, user_name, at_utc, public_key : who, when (ISO 8601, UTC), by which Ed25519 key (hex).
    """

    id: str = attrs.field(factory=new_id)
    plan_id: str
    course_id: str
    patient_id: str
    revision: int
    plan_digest: str
    inputs_digest: str
    image_digest: str
    structures_digest: str
    ct_curve_digest: str
    beams: tuple[ApprovedBeam, ...] = attrs.field(validator=attrs.validators.instance_of(tuple))
    plan_dose_digest: str
    engine: str
    software: str
    numerics_version: int = NUMERICS_VERSION
    second_check: str
    checklist: tuple[Confirmed, ...] = attrs.field(validator=attrs.validators.instance_of(tuple))
    warnings: tuple[Confirmed, ...] = attrs.field(validator=attrs.validators.instance_of(tuple))
    meaning: str = MEANING
    user_id: str = ""
    user_name: str = ""
    at_utc: str = ""
    public_key: str = ""

    @property
    def at(self) -> dt.datetime:
        """When it was signed."""
        return dt.datetime.fromisoformat(self.at_utc)


@attrs.frozen(kw_only=True)
class ApprovalEnd:
    """The end of an approval: withdrawn, or superseded by another plan; never an edit.

    Attributes
    ----------
    approval_id : of the approval it ends.
    revision : of the plan, the one after.
    status : WITHDRAWN or SUPERSEDED.
    reason : in the words of whoever signs.
    """

    id: str = attrs.field(factory=new_id)
    approval_id: str
    plan_id: str
    revision: int
    status: PlanStatus
    reason: str
    user_id: str = ""
    user_name: str = ""
    at_utc: str = ""
    public_key: str = ""

    def __attrs_post_init__(self) -> None:
        if self.status not in (PlanStatus.WITHDRAWN, PlanStatus.SUPERSEDED):
            raise Refused("An approval ends by being withdrawn or superseded.")

    @property
    def at(self) -> dt.datetime:
        """When it was signed."""
        return dt.datetime.fromisoformat(self.at_utc)


@attrs.frozen(kw_only=True)
class ApprovalState:
    """An approval as it stands in the store, verified; `end` if it is over."""

    approval: Approval
    end: ApprovalEnd | None = None

    @property
    def is_valid(self) -> bool:
        """True while the plan may be treated by it."""
        return self.end is None

    @property
    def text(self) -> str:
        """What every head line says."""
        if self.end is None:
            return self.short_text
        approved = f"approved by {self.approval.user_name} at {self.approval.at.astimezone():%Y-%m-%d %H:%M}"
        return f"{self.short_text}: {self.end.reason} ({approved})"

    @property
    def short_text(self) -> str:
        """What stands where there is little room: the newest word, by whom, when; no reason."""
        if self.end is None:
            return f"Approved by {self.approval.user_name} at {self.approval.at.astimezone():%Y-%m-%d %H:%M}"
        word = "WITHDRAWN" if self.end.status is PlanStatus.WITHDRAWN else "SUPERSEDED"
        return f"Approval {word} by {self.end.user_name} at {self.end.at.astimezone():%Y-%m-%d %H:%M}"


@attrs.frozen(kw_only=True, eq=False)
class PinnedPlan:
    """An approval with the doses that were pinned for it, in the order of its beams; all verified."""

    state: ApprovalState
    doses: tuple[DoseResult, ...]


def checked_reason(text: str) -> str:
    """Return why an approval ends, without blanks around it; raises `Refused` if it says too little or too much."""
    reason = " ".join(text.split())
    if not _LEAST_REASON <= len(reason) <= _MOST_REASON:
        raise Refused(
            f"Say in {_LEAST_REASON} to {_MOST_REASON} characters why the approval ends.",
            hint="The reason is signed and stands with the plan for good.",
        )
    return reason


def structures_digest(structures: StructureSet) -> str:
    """Digest of the shapes of a structure set by number; names, roles and colours do not count."""
    return digest_of([(s.number, s.shape_digest) for s in sorted(structures.structures, key=lambda s: s.number)])


def inputs_digest(plan: Plan, requests: tuple[str, ...], *, image: CtImage, structures: StructureSet) -> str:
    """Digest of what dose, monitor units and prescription depend on: ``H_in``; no name, colour or goal.

    Parameters
    ----------
    requests : digests of the beams' dose requests, in the plan's order.
    """
    ordered = plan.prescription
    point = None if ordered.point_id is None else plan.point_cm(ordered.point_id)
    prescribed = (ordered.target_number, ordered.dose_gy, ordered.fractions, ordered.normalisation, ordered.percent)
    beams = [(r, b.mu, b.weight) for r, b in zip(requests, plan.beams, strict=True)]
    return digest_of((image.digest, structures_digest(structures), plan.external_number, prescribed, point, beams))


def approved_beams(
    plan: Plan, doses: tuple[DoseResult, ...], releases: tuple[str, ...]
) -> tuple[tuple[ApprovedBeam, ...], str]:
    """The beams of a plan with their doses, and the digest of their sum in Gy.

    Raises
    ------
    Refused
        A beam has no monitor units, or the doses do not add up.
    """
    beams, mu = [], []
    for beam, dose, release in zip(plan.beams, doses, releases, strict=True):
        if beam.mu is None:
            raise Refused(f"Beam '{beam.name}' has no monitor units; the plan cannot be approved.")
        mu.append(beam.mu)
        beams.append(
            ApprovedBeam(
                number=beam.number, name=beam.name, mu=beam.mu, request_digest=dose.request_digest,
                dose_digest=array_digest(dose.gy_per_mu), errors_digest=errors_digest(dose), engine=dose.engine,
                machine_name=beam.machine_name, machine_digest=beam.machine_digest, model_digest=beam.model_digest,
                release=release,
            )
        )  # fmt: skip
    return tuple(beams), array_digest(plan_dose_gy(list(doses), mu, plan.prescription.fractions))


def errors_digest(dose: DoseResult) -> str:
    """Digest of a Monte Carlo's standard errors; "" for a dose without noise."""
    return "" if dose.statistics is None else array_digest(np.asarray(dose.statistics.relative_sigma))


def expect_pinned(approval: Approval, plan: Plan, doses: tuple[DoseResult, ...]) -> None:
    """Refuse doses, or a plan, that are not exactly what was approved (`DigestMismatch`)."""
    if plan.digest != approval.plan_digest or plan.id != approval.plan_id:
        raise not_as_approved("plan")
    found = [(d.request_digest, array_digest(d.gy_per_mu), errors_digest(d), d.engine) for d in doses]
    if found != [(b.request_digest, b.dose_digest, b.errors_digest, b.engine) for b in approval.beams]:
        raise not_as_approved("doses of the beams")
    total = plan_dose_gy(list(doses), [b.mu for b in approval.beams], plan.prescription.fractions)
    if array_digest(total) != approval.plan_dose_digest:
        raise not_as_approved("dose of the plan")


def not_as_approved(what: str, detail: str = "") -> DigestMismatch:
    """The error of anything that is not as it was signed."""
    return DigestMismatch(
        f"{DO_NOT_TREAT}: the {what} of this approved plan is not what was signed. It was not used.",
        hint="Stop, call physics, run 'ert check' and restore the site from a backup.",
        detail=detail or what,
    )


def signed_bytes(site_id: str, value: Approval | ApprovalEnd) -> bytes:
    """What is signed: the value, bound to the site and to this use of the key."""
    return f"{_DOMAIN}|{site_id}|".encode("ascii") + canonical_bytes(value)
