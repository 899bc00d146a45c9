"""A dose as a document and its arrays: values, and for a Monte Carlo dose the standard error of each.

The document names both arrays by their digests, so that neither can be lost, changed or taken from another dose.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ert.domain.dose import DoseResult
from ert.domain.identity import array_digest
from ert.domain.monte_carlo_model import DoseStatistics
from ert.errors import BadTag, DigestMismatch
from ert.storage import documents

_ERRORS_DIGEST = "errors_sha256"


def dose_content(dose: DoseResult) -> dict[str, Any]:
    """Everything of a dose but its arrays; ``statistics`` is None for an engine without noise."""
    content = documents.to_content(dose, omit=["gy_per_mu", "statistics"])
    if dose.statistics is None:
        return {**content, "statistics": None}
    statistics = documents.to_content(dose.statistics, omit=["relative_sigma"])
    return {**content, "statistics": {**statistics, _ERRORS_DIGEST: array_digest(dose.statistics.relative_sigma)}}


def has_errors(content: dict[str, Any]) -> bool:
    """Whether an array of standard errors belongs to the document."""
    return content.get("statistics") is not None


def dose_from(
    content: dict[str, Any], gy_per_mu: NDArray[np.float32], errors: NDArray[np.float32] | None
) -> DoseResult:
    """The dose of a document and its arrays.

    Raises
    ------
    BadTag
        The document is not one of a dose, or a dose without its standard errors says it is a Monte Carlo's.
    DigestMismatch
        The standard errors are not those of the dose.
    """
    rest = dict(content)
    return documents.from_content(
        rest, DoseResult, gy_per_mu=gy_per_mu, statistics=_statistics(rest.pop("statistics", None), errors)
    )


def _statistics(content: Any, errors: NDArray[np.float32] | None) -> DoseStatistics | None:  # noqa: ANN401
    if content is None and errors is None:
        return None
    if not isinstance(content, dict) or errors is None:
        raise BadTag(
            "A dose has lost its standard errors, or has those of another; it was not used.", detail="dose statistics"
        )
    rest = dict(content)
    if rest.pop(_ERRORS_DIGEST, None) != array_digest(errors):
        raise DigestMismatch(
            "The standard errors of a dose are not what was computed; it was not used.", detail="errors: digest"
        )
    return documents.from_content(rest, DoseStatistics, relative_sigma=errors)
