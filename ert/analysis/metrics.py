"""Dose and volume metrics of a histogram, named after AAPM TG-263: D95%, D2cc, V20Gy[%], V20Gy[cc], CV20Gy, Mean, HI.

============  ==============================================================================  ==========
metric        meaning                                                                         unit
============  ==============================================================================  ==========
D95% D2cc     dose that the hottest 95 % (2 cm³) of the structure receives at least           Gy, [%]
V20Gy V90%    volume that receives at least 20 Gy (90 % of the prescription)                  %, [cc]
CV20Gy        volume that receives less than 20 Gy                                            cc, [%]
Mean Max Min  of the dose in the structure                                                    Gy, [%]
HI            (D2% - D98%) / D50%, ICRU 83                                                    –
CI            volume of the patient at or above the prescription / volume of the structure    –
              (RTOG; Shaw 1993)
============  ==============================================================================  ==========

The unit in brackets is asked for by adding it to the name: ``V20Gy[cc]``; [%] of a dose is percent of the prescription.
"""

from __future__ import annotations

import enum
import re

import attrs
import numpy as np

from ert.domain.dvh import Dvh
from ert.errors import Refused

_METRIC = re.compile(
    r"(?:(?P<kind>D|V|CV)(?P<number>\d+(?:\.\d+)?)(?P<of>%|cc|Gy)|(?P<plain>Mean|Max|Min|HI|CI))(?:\[(?P<unit>%|cc|Gy)\])?"
)
_OF = {"D": ("%", "cc"), "V": ("Gy", "%"), "CV": ("Gy", "%")}
_UNITS = {
    "D": ("Gy", "%"),
    "V": ("%", "cc"),
    "CV": ("cc", "%"),
    "Mean": ("Gy", "%"),
    "Max": ("Gy", "%"),
    "Min": ("Gy", "%"),
    "HI": ("",),
    "CI": ("",),
}


class MetricKind(enum.StrEnum):
    """What a metric measures."""

    DOSE_AT_VOLUME = "D"
    VOLUME_AT_DOSE = "V"
    VOLUME_BELOW_DOSE = "CV"
    MEAN = "Mean"
    MAX = "Max"
    MIN = "Min"
    HOMOGENEITY = "HI"
    CONFORMITY = "CI"


@attrs.frozen(kw_only=True)
class Metric:
    """A metric taken apart: kind, its number and what that counts in (% cc Gy), and the unit of the result."""

    kind: MetricKind
    number: float = 0.0
    of: str = ""
    unit: str


def parse_metric(text: str) -> Metric:
    """Take a metric's name apart.

    Raises
    ------
    Refused
        If the name is not understood.
    """
    found = _METRIC.fullmatch(text.strip())
    if found is None:
        raise Refused(
            f"'{text}' is no dose metric.", hint="Write for example D95%, D2cc, V20Gy, V20Gy[cc], Mean or HI."
        )
    kind = found["kind"] or found["plain"]
    units = _UNITS[kind]
    if found["kind"] and found["of"] not in _OF[kind]:
        raise Refused(f"'{text}' is no dose metric: {kind} counts in {' or '.join(_OF[kind])}.")
    if found["unit"] and found["unit"] not in units:
        raise Refused(f"'{text}' cannot be given in {found['unit']}.")
    if found["of"] == "%" and kind == "D" and float(found["number"]) > 100:
        raise Refused(f"'{text}' asks for more than 100 % of the volume.")
    return Metric(
        kind=MetricKind(kind), number=float(found["number"] or 0), of=found["of"] or "", unit=found["unit"] or units[0]
    )


def evaluate_metric(
    metric: str | Metric, dvh: Dvh, *, prescription_gy: float | None = None, external: Dvh | None = None
) -> float:
    """Value of a metric of one structure, in the metric's unit.

    Parameters
    ----------
    prescription_gy : needed for percent of the prescription and for CI.
    external : histogram of the patient's outline, needed for CI.

    Raises
    ------
    Refused
        If the metric is not understood, needs a prescription or a larger structure, or is not defined for this dose.
    """
    wanted = parse_metric(metric) if isinstance(metric, str) else metric
    kind = wanted.kind
    if kind in (MetricKind.VOLUME_AT_DOSE, MetricKind.VOLUME_BELOW_DOSE):
        dose_gy = wanted.number
        if wanted.of == "%":
            dose_gy *= _prescription(prescription_gy, wanted) / 100.0
        volume_pct = volume_at_dose_pct(dvh, dose_gy)
        if kind is MetricKind.VOLUME_BELOW_DOSE:
            volume_pct = 100.0 - volume_pct
        return volume_pct if wanted.unit == "%" else volume_pct * dvh.volume_cc / 100.0
    if kind is MetricKind.HOMOGENEITY:
        return homogeneity(dvh)
    if kind is MetricKind.CONFORMITY:
        return _conformity(dvh, _prescription(prescription_gy, wanted), external)
    dose_gy = _dose_gy(wanted, dvh)
    return dose_gy if wanted.unit == "Gy" else 100.0 * dose_gy / _prescription(prescription_gy, wanted)


def dose_at_volume_gy(dvh: Dvh, volume_pct: float) -> float:
    """Dose that at least this percentage of the volume receives (linear between the bins), Gy."""
    if not 0 <= volume_pct <= 100:
        raise Refused(f"A part of a volume must be 0 to 100 %, not {volume_pct:g}.")
    if volume_pct == 0:
        return dvh.max_gy
    last = int(np.flatnonzero(dvh.volume_pct >= volume_pct)[-1])
    if last + 1 == len(dvh.dose_gy):
        return float(dvh.dose_gy[last])
    above, below = float(dvh.volume_pct[last]), float(dvh.volume_pct[last + 1])
    share = (above - volume_pct) / (above - below)
    dose_gy = float(dvh.dose_gy[last] + share * (dvh.dose_gy[last + 1] - dvh.dose_gy[last]))
    return min(max(dose_gy, dvh.min_gy), dvh.max_gy)


def dose_at_cc_gy(dvh: Dvh, volume_cc: float) -> float:
    """Dose that the hottest cm³ receive at least, Gy.

    Raises
    ------
    Refused
        If the structure is smaller than that.
    """
    if volume_cc > dvh.volume_cc:
        raise Refused(f"'{dvh.name}' has only {dvh.volume_cc:.2f} cm³; there is no D{volume_cc:g}cc.")
    return dose_at_volume_gy(dvh, 100.0 * volume_cc / dvh.volume_cc)


def volume_at_dose_pct(dvh: Dvh, dose_gy: float) -> float:
    """Percentage of the volume that receives at least a dose (linear between the bins)."""
    if dose_gy <= dvh.min_gy:
        return 100.0
    if dose_gy > dvh.max_gy:
        return 0.0
    return float(np.interp(dose_gy, dvh.dose_gy, dvh.volume_pct))


def homogeneity(dvh: Dvh) -> float:
    """Homogeneity index (D2% - D98%) / D50%, ICRU report 83 (2010)."""
    middle_gy = dose_at_volume_gy(dvh, 50.0)
    if middle_gy <= 0:
        raise Refused(f"'{dvh.name}' receives no dose; it has no homogeneity index.")
    return (dose_at_volume_gy(dvh, 2.0) - dose_at_volume_gy(dvh, 98.0)) / middle_gy


def paddick_conformity(target: Dvh, external: Dvh, *, prescription_gy: float) -> float:
    """Conformity after Paddick (J Neurosurg 93 Suppl 3 (2000) 219): TV_Rx² / (TV · V_Rx), 1 at best."""
    covered_cc = volume_at_dose_pct(target, prescription_gy) * target.volume_cc / 100.0
    treated_cc = volume_at_dose_pct(external, prescription_gy) * external.volume_cc / 100.0
    return covered_cc**2 / (target.volume_cc * treated_cc) if treated_cc > 0 else 0.0


def _conformity(dvh: Dvh, prescription_gy: float, external: Dvh | None) -> float:
    if external is None:
        raise Refused("The conformity index needs the histogram of the external contour.")
    return volume_at_dose_pct(external, prescription_gy) * external.volume_cc / 100.0 / dvh.volume_cc


def _dose_gy(wanted: Metric, dvh: Dvh) -> float:
    if wanted.kind is MetricKind.DOSE_AT_VOLUME:
        return dose_at_volume_gy(dvh, wanted.number) if wanted.of == "%" else dose_at_cc_gy(dvh, wanted.number)
    return {MetricKind.MEAN: dvh.mean_gy, MetricKind.MAX: dvh.max_gy, MetricKind.MIN: dvh.min_gy}[wanted.kind]


def _prescription(prescription_gy: float | None, wanted: Metric) -> float:
    if prescription_gy is None or prescription_gy <= 0:
        raise Refused(f"{wanted.kind.value} in percent of the prescription needs a prescribed dose.")
    return prescription_gy
