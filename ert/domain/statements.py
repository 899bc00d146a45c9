"""Sentences about a plan that the window and the report must say alike."""

from __future__ import annotations

from collections.abc import Callable

from ert.domain.algorithm import Algorithm
from ert.domain.plan import Normalisation, Plan
from ert.domain.structure import StructureSet

NORMALISATION_NAMES = {
    Normalisation.ISODOSE: "Percent of given dose (water)",
    Normalisation.MAXIMUM: "Isodose of plan maximum",
    Normalisation.D95: "Target D95%",
    Normalisation.POINT: "Reference point",
    Normalisation.FIXED_MU: "Monitor units as entered",
}
ALGORITHM_NAMES = {
    Algorithm.PENCIL_BEAM: "Pencil beam",
    Algorithm.PBRA: "Redefinition (PBRA)",
    Algorithm.MONTE_CARLO: "Monte Carlo",
}
ALGORITHM_SHORT = {
    Algorithm.PENCIL_BEAM: "Pencil beam (estimate)",
    Algorithm.PBRA: "Redefinition (PBRA), estimate",
    Algorithm.MONTE_CARLO: "Monte Carlo",
}
_TRUST = {
    Algorithm.PENCIL_BEAM: "an estimate. Behind and beside bone, air and bolus steps it may err by 5–15 %.",
    Algorithm.PBRA: "an estimate. Behind and beside bone, air and bolus steps it may err by about 5 %.",
    Algorithm.MONTE_CARLO: "single voxels scatter by the uncertainty stated; judge the maximum by D2%.",
}
_LEFT_OUT = {
    Algorithm.PENCIL_BEAM: "It knows no back-scatter.",
    Algorithm.PBRA: "It knows no back-scatter, and no electrons that shields or metal scatter.",
    Algorithm.MONTE_CARLO: "",
}


def normalisation_sentence(plan: Plan, structures: StructureSet) -> str:
    """What receives the prescribed dose, as `ert.app.normalise` scales it; the dose is that of all fractions.

    Raises
    ------
    Refused
        If the target or the point it speaks of is not there.
    """
    prescription = plan.prescription
    dose, percent = f"{prescription.dose_gy:.2f} Gy", f"{prescription.percent:g} %"
    if prescription.normalisation is Normalisation.ISODOSE:
        return (
            f"{dose} is {percent} of the given dose: each field's maximum in water at its SSD, summed over all beams."
        )
    if prescription.normalisation is Normalisation.MAXIMUM:
        return f"{dose} is {percent} of the plan's maximum dose in the patient."
    if prescription.normalisation is Normalisation.D95:
        target = structures.structure(prescription.target_number).name
        return f"95 % of the volume of {target} receives at least {dose}."
    if prescription.normalisation is Normalisation.FIXED_MU:
        return f"Monitor units are as entered; nothing is scaled to {dose}."
    return f"Point '{plan.point(prescription.point_id or '').name}' receives {dose}."


def algorithm_limits(algorithm: Algorithm) -> str:
    """The statement with what else the algorithm leaves out."""
    return f"{algorithm_statement(algorithm)} {_LEFT_OUT[algorithm]}".strip()


def algorithms_of_engine(engine: str) -> tuple[Algorithm, ...]:
    """The algorithms in an engine's name or in those of several (`ert.domain.dose_engines`), least trusted first.

    Raises
    ------
    ValueError
        If it names none.
    """
    named = {Algorithm(one.split(" ", 1)[0]) for sum_part in engine.split(" + ") for one in sum_part.split("; ")}
    return tuple(algorithm for algorithm in Algorithm if algorithm in named)


def algorithm_of_engine(engine: str) -> Algorithm:
    """The algorithm in an engine's name, for example ``pencil-beam 5``; of several the one to trust least."""
    return algorithms_of_engine(engine)[0]


def engine_label(engine: str) -> str:
    """A dose's quality in few words: of several engines the least trusted is named first, and with its caution."""
    worst, *others = algorithms_of_engine(engine)
    return " with ".join((ALGORITHM_SHORT[worst], *(ALGORITHM_NAMES[other] for other in others)))


def engine_statement(engine: str, say: Callable[[Algorithm], str] | None = None) -> str:
    """How far to trust a dose, a sentence for each engine in it: `algorithm_statement` unless another is given."""
    return " ".join((say or algorithm_statement)(algorithm) for algorithm in algorithms_of_engine(engine))


def algorithm_statement(algorithm: Algorithm) -> str:
    """How far to trust a dose of this algorithm, in one line."""
    return f"{ALGORITHM_NAMES[algorithm]}: {_TRUST[algorithm]}"
