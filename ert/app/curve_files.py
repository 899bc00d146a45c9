"""CT curves in CSV files: read with a checked path, written without overwriting."""

from __future__ import annotations

from pathlib import Path

from ert.app.text_files import read_text
from ert.domain.image import CtCurve
from ert.domain.materials import ct_curve_from_csv, ct_curve_to_csv
from ert.errors import Refused


def read_curve_file(path: Path, *, name: str) -> CtCurve:
    """The curve of a CSV file with the columns of the shipped one.

    Raises
    ------
    Refused
        If the file cannot be read or is no curve.
    """
    return ct_curve_from_csv(read_text(path, "CT curve"), name=name)


def write_curve_file(path: Path, curve: CtCurve, *, may_replace: bool = False) -> None:
    """Write a curve as CSV.

    Raises
    ------
    Refused
        If the file is there already and may not be replaced, or cannot be written.
    """
    try:
        with path.open("w" if may_replace else "x", encoding="utf-8", newline="") as file:
            file.write(ct_curve_to_csv(curve))
    except FileExistsError as error:
        raise Refused(f"The file '{path}' is there already.", hint="Name another one.") from error
    except OSError as error:
        raise Refused(f"The file '{path}' cannot be written: {error.strerror}.") from error
