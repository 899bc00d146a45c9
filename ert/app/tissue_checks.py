"""What the program has to say about CT curve and materials of a plan."""

from __future__ import annotations

from collections.abc import Iterator

from ert.app.tissue_library import Standing, TissueLibrary
from ert.domain.image import DensityOverride
from ert.domain.plan import Plan
from ert.domain.record import Finding, Severity
from ert.domain.structure import StructureRole, StructureSet
from ert.domain.tissue import TissueReview, metal_sentence

_TOLD_CC = 0.005  # below it a volume prints as 0.00


def tissue_findings(
    plan: Plan, *, structures: StructureSet, library: TissueLibrary, review: TissueReview | None, failure: str = ""
) -> Iterator[Finding]:
    """Findings on CT curve, overrides and metal.

    Parameters
    ----------
    review, failure : what the overrides come to (`TissueReviews`); None while that is not known.
    """
    yield from _curve_findings(plan, library)
    for override in plan.overrides:
        yield from _override_findings(override, structures, library)
    yield from _without_material(plan, structures)
    if failure:
        yield _finding(Severity.WARNING, "override-review", f"The materials could not be checked: {failure}")
    if review is not None:
        yield from _review_findings(plan, structures, review)


def _finding(severity: Severity, code: str, sentence: str, subject: str = "") -> Finding:
    return Finding(severity=severity, code=code, sentence=sentence, subject=subject)


def _curve_findings(plan: Plan, library: TissueLibrary) -> Iterator[Finding]:
    name, found = plan.ct_curve.name, library.standing_of(plan.ct_curve)
    used, newest = found.used, found.newest
    if found.standing is Standing.DEFAULT:
        yield _finding(
            Severity.WARNING,
            "ct-curve",
            "The default CT curve is used; enter the curve of your own scanner (menu Site) and choose it.",
        )
    elif found.standing is Standing.UNKNOWN:
        yield _finding(
            Severity.WARNING, "ct-curve-unknown", f"CT curve '{name}' of this plan is none of this site's curves."
        )
    elif found.standing is Standing.WITHDRAWN and newest is not None:
        yield _finding(
            Severity.WARNING,
            "ct-curve-withdrawn",
            f"CT curve '{name}' was withdrawn by {newest.saved_by} on {newest.saved_at:%Y-%m-%d}; choose another one.",
        )
    elif found.standing is Standing.OLDER and used is not None and newest is not None:
        yield _finding(
            Severity.WARNING,
            "ct-curve-newer",
            f"This plan keeps version {used.revision} of CT curve '{name}'; the site has version {newest.revision} "
            f"of {newest.saved_at:%Y-%m-%d} with other values. Choose it to compute with it.",
        )


def _override_findings(
    override: DensityOverride, structures: StructureSet, library: TissueLibrary
) -> Iterator[Finding]:
    structure = structures.structure(override.structure_number)
    material, name = override.material, structure.name
    if structure.is_empty:
        yield _finding(Severity.BLOCKER, "override-empty", f"'{name}' has a density override but no contours.", name)
    yield _finding(
        Severity.NOTE,
        "override",
        f"'{name}' is taken to be {material.name}, {material.density_g_cm3:g} g/cm³; later overrides win where they "
        "overlap.",
        name,
    )
    standing = library.material_standing(material)
    sentences = {
        Standing.OLDER: f"Material '{material.name}' of '{name}' has a newer version with other values in this site.",
        Standing.WITHDRAWN: f"Material '{material.name}' of '{name}' was withdrawn in this site; assign another one.",
        Standing.UNKNOWN: f"Material '{material.name}' of '{name}' is neither shipped nor one of this site's.",
    }
    if standing in sentences:
        yield _finding(Severity.WARNING, f"override-material-{standing.value}", sentences[standing], name)


def _without_material(plan: Plan, structures: StructureSet) -> Iterator[Finding]:
    given = {o.structure_number for o in plan.overrides}
    for structure in structures.structures:
        if structure.number in given or structure.is_empty:
            continue
        name = structure.name
        if structure.role is StructureRole.BOLUS:
            yield _finding(
                Severity.WARNING,
                "bolus-material",
                f"Bolus '{name}' has no material: outside the external contour it is air, inside it is read through "
                "the CT curve, which makes wax 2 % too weak and silicone 5 % too strong. Give it a material.",
                name,
            )
        elif structure.role is StructureRole.SUPPORT:
            yield _finding(
                Severity.WARNING,
                "support-material",
                f"Support '{name}' has no material: outside the external contour it is air. Give it a material if a "
                "beam passes through it.",
                name,
            )


def _review_findings(plan: Plan, structures: StructureSet, review: TissueReview) -> Iterator[Finding]:
    materials = {o.structure_number: o.material for o in plan.overrides}
    names = {s.number: s.name for s in structures.structures}
    if review.metal is not None:
        yield _finding(Severity.WARNING, "metal", metal_sentence(review.metal.volume_cc))
    for volume in review.volumes:
        if volume.structure_number not in materials:
            continue
        name = names[volume.structure_number]
        if volume.volume_cc > 0 and volume.effective_cc == 0:
            yield _finding(
                Severity.WARNING,
                "override-hidden",
                f"The material of '{name}' is used nowhere: later overrides cover all of it. Check the order.",
                name,
            )
        if volume.outside_cc >= _TOLD_CC:
            yield _finding(
                Severity.NOTE,
                "override-outside",
                f"{volume.outside_cc:.2f} of {volume.volume_cc:.2f} cm³ of '{name}' lie outside the external contour; "
                "they count with their material, and dose is computed in them.",
                name,
            )
    for overlap in review.overlaps:
        winner, loser = overlap.winner_number, overlap.loser_number
        if winner not in materials or loser not in materials or overlap.volume_cc < _TOLD_CC:
            continue
        is_same = materials[winner] == materials[loser]
        yield _finding(
            Severity.NOTE if is_same else Severity.WARNING,
            "override-overlap",
            f"'{names[loser]}' and '{names[winner]}' overlap in {overlap.volume_cc:.2f} cm³, which is taken to be "
            f"{materials[winner].name}: '{names[winner]}' is later in the order.",
            names[winner],
        )
