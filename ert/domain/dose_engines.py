"""The name of what computed a plan's dose: one engine, or which beam by which."""

from __future__ import annotations

from collections.abc import Sequence

from ert.domain.algorithm import Algorithm
from ert.domain.dose import DoseResult
from ert.domain.dose_uncertainty import DoseUncertainty


def engine_of(result: DoseResult) -> str:
    """Name and version of what computed a beam, without its statistics."""
    return result.engine.split(",", 1)[0]


def engines_text(
    results: Sequence[DoseResult], beam_numbers: Sequence[int], uncertainty: DoseUncertainty | None
) -> str:
    """What computed a plan's dose, in one line; `ert.domain.statements` reads the algorithms back from it.

    One engine's name and version, with the plan's statistics if it has noise. Where beams were computed by different
    engines each is named with its beams, the one to trust least first:
    ``pencil-beam 9 (beams 1+3); monte-carlo 9 (beam 2), 0.61 %, 120000 histories``.
    """
    by_engine: dict[str, list[int]] = {}
    for result, number in zip(results, beam_numbers, strict=True):
        by_engine.setdefault(engine_of(result), []).append(number)
    if len(by_engine) == 1:
        engine = results[0].engine
        return engine if uncertainty is None else uncertainty.engine_text(engine)
    rank = {algorithm.value: place for place, algorithm in enumerate(Algorithm)}
    named = [
        f"{engine} (beam{'s' if len(numbers) > 1 else ''} {'+'.join(str(n) for n in numbers)})"
        for engine, numbers in sorted(by_engine.items(), key=lambda item: rank[item[0].split(" ", 1)[0]])
    ]
    text = "; ".join(named)
    return text if uncertainty is None else uncertainty.engine_text(text)
