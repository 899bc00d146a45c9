"""Tools of the semantic validator: what must be there, what it may be, and how values must be written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import validate_value

from ert.dicom import values
from ert.domain.record import Finding, Severity
from ert.errors import ImportRejected

_LONG_LISTS = {Tag("ContourData"), Tag("GridFrameOffsetVector"), Tag("PixelData")}
_CHECKED_VRS = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI"}
_MAX_DS = 16


class Checker:
    """Collects findings about one file."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.findings: list[Finding] = []

    def add(self, code: str, sentence: str) -> None:
        """A blocker: the file may not be released."""
        self.findings.append(
            Finding(severity=Severity.BLOCKER, code=code, sentence=f"{self.subject}: {sentence}", subject=self.subject)
        )

    def require(self, dataset: Dataset, keywords: Iterable[str], where: str = "") -> None:
        """Every element is there and has a value."""
        for keyword in keywords:
            if keyword not in dataset or dataset[keyword].is_empty:
                self.add("missing", f"{keyword} is missing or empty{_in(where)}.")

    def present(self, dataset: Dataset, keywords: Iterable[str], where: str = "") -> None:
        """Every element is there; it may be empty."""
        for keyword in keywords:
            if keyword not in dataset:
                self.add("missing", f"{keyword} is missing{_in(where)}.")

    def among(self, dataset: Dataset, keyword: str, allowed: Iterable[str], where: str = "") -> None:
        """The element, if there, has one of these values."""
        found = values.text(dataset, keyword)
        if keyword in dataset and found not in set(allowed):
            self.add("term", f"{keyword} is '{found}'{_in(where)}.")

    def number(self, dataset: Dataset, keyword: str, where: str = "") -> float | None:
        """One finite number, None (and reported, unless absent) if it is not."""
        try:
            return values.number(dataset, keyword)
        except ImportRejected as refused:
            self.add("number", f"{refused.sentence}{_in(where)}")
            return None

    def numbers(self, dataset: Dataset, keyword: str, count: int, where: str = "") -> tuple[float, ...] | None:
        """So many finite numbers, None (and reported, unless absent) if they are not."""
        try:
            return values.numbers(dataset, keyword, count)
        except ImportRejected as refused:
            self.add("number", f"{refused.sentence}{_in(where)}")
            return None

    def within(self, dataset: Dataset, keyword: str, low: float, high: float, where: str = "") -> None:
        """The element, if there, is a number of that range, both ends included."""
        found = self.number(dataset, keyword, where)
        if found is not None and not low <= found <= high:
            self.add("range", f"{keyword} is {found:g}, not {low:g} to {high:g}{_in(where)}.")

    def count(self, dataset: Dataset, keyword: str, found: int, where: str = "") -> None:
        """An element that announces how many there are tells the truth."""
        stated = self.number(dataset, keyword, where)
        if stated != found:
            self.add("count", f"{keyword} is {stated} where there are {found}{_in(where)}.")


def _in(where: str) -> str:
    return f" in {where}" if where else ""


def check_values(dataset: Dataset, checker: Checker) -> None:
    """Every value fits its value representation (DICOM PS3.5 6.2): length, characters, multiplicity of text."""
    has_character_set = "SpecificCharacterSet" in dataset
    _walk(dataset, checker, has_character_set=has_character_set)


def _walk(dataset: Dataset, checker: Checker, *, has_character_set: bool) -> None:
    for tag in [t for t in dataset.keys() if t not in _LONG_LISTS]:  # noqa: SIM118 - do not parse long lists
        element = dataset[tag]
        if element.VR == "SQ":
            for item in element.value:
                _walk(item, checker, has_character_set=has_character_set)
        elif element.VR in _CHECKED_VRS and not element.is_empty:
            _check_element(element, checker, has_character_set=has_character_set)


def _check_element(element: Any, checker: Checker, *, has_character_set: bool) -> None:  # noqa: ANN401
    parts = element.value if element.VM > 1 else [element.value]
    for part in parts:
        written = getattr(part, "original_string", None) or str(part)
        try:
            validate_value(element.VR, written, config.RAISE)
        except ValueError:
            checker.add("format", f"{element.keyword} is not written as a DICOM {element.VR} value.")
            return
        if element.VR == "DS" and len(written) > _MAX_DS:
            checker.add("format", f"{element.keyword} has more than {_MAX_DS} characters.")
            return
        if not has_character_set and not written.isascii():
            checker.add("charset", f"{element.keyword} has letters outside ASCII and no character set is named.")
            return
