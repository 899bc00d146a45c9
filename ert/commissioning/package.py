"""Machine packages: one folder that holds a machine and its beam models as readable text, with a digest.

A folder with `machine_package.json`, an object with "format", "kind", "digest" and "package". The digest is
`MachinePackage.digest`, taken over every value in the package; numbers are written with all their digits.
Format 2 added the machine's configuration, format 3 the acceptance tables, format 4 how edge electrons and the width of
the wide component depend on depth, format 5 how the depth dose changes with SSD, format 6 redefinition's factors over
depth, format 7 redefinition's own off-axis ratio, format 8 measured depths and incidence, format 9 the Monte Carlo's
slow electrons; in a package of an earlier format they have their defaults, and the digest stays the same.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, get_origin

import cattrs
import numpy as np

from ert.domain.beam_model import DEMO_LABEL, MachinePackage
from ert.errors import DigestMismatch, InvalidBeamData, Refused, SchemaTooNew

FORMAT = 9
KIND = "ert machine package"
FILE_NAME = "machine_package.json"


def _is_array(kind: Any) -> bool:  # noqa: ANN401
    return get_origin(kind) is np.ndarray


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook_func(_is_array, lambda a: [float(v) for v in a])
    converter.register_structure_hook_func(_is_array, lambda v, _: np.array(v, dtype=np.float64))
    return converter


def package_bytes(package: MachinePackage) -> bytes:
    """The package as UTF-8 JSON; the same package always gives the same bytes."""
    tree: dict[str, Any] = {"format": FORMAT, "kind": KIND, "digest": package.digest}
    if package.is_demo:
        tree["notice"] = DEMO_LABEL
    tree["package"] = _converter().unstructure(package)
    return (json.dumps(_short_rows(tree), indent=1, ensure_ascii=True) + "\n").encode()


def _short_rows(value: Any) -> Any:  # noqa: ANN401
    """Rows of numbers as one text each, so that a table is a line and not a column of lines."""
    if isinstance(value, dict):
        return {k: _short_rows(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        if value and all(isinstance(v, float) for v in value):
            return " ".join(repr(v) for v in value)
        return [_short_rows(v) for v in value]
    return value


def _full_rows(value: Any, key: str = "") -> Any:  # noqa: ANN401
    """The reverse of `_short_rows`: only fields that hold rows of numbers are split."""
    if isinstance(value, dict):
        return {k: _full_rows(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_full_rows(v) for v in value]
    if key in _ROW_FIELDS and isinstance(value, str):
        return [float(part) for part in value.split()]
    return value


_ROW_FIELDS = frozenset({
    "depth_frac", "scatter_scale", "wide_frac", "electron_gy_per_mu", "reference_depth_cm", "reference_dose_gy_per_mu",
    "side_cm", "side_factor", "off_axis", "energies_mev", "depth_cm", "percent_depth_dose", "rim_depth_frac",
    "rim_gy_cm_per_mu", "edge_depth_frac", "edge_share", "wide_shape",
    "distance_frac", "distance_slope_per_cm", "depth_factor",
    "node_mev", "node_factor", "spectrum_edges_mev", "spectrum_share",
})  # fmt: skip


def package_from_bytes(content: bytes, *, where: str = "machine package") -> MachinePackage:
    """Read a package.

    Raises
    ------
    SchemaTooNew
        Written by a newer program.
    InvalidBeamData
        Not a machine package, or a value is missing, of the wrong kind or unknown.
    DigestMismatch
        The content is not what was written.
    """
    try:
        tree = json.loads(content.decode())
    except ValueError as exc:
        raise InvalidBeamData(f"{where} is no machine package: it is not JSON text.", detail=str(exc)) from exc
    if not isinstance(tree, dict) or tree.get("kind") != KIND or not isinstance(tree.get("format"), int):
        raise InvalidBeamData(f"{where} is no machine package.", hint="Choose what `ert commission` has written.")
    if tree["format"] > FORMAT:
        raise SchemaTooNew(
            f"{where} was written by a newer version of ERT (format {tree['format']}).", hint="Install that version."
        )
    try:
        package = _converter().structure(_full_rows(tree["package"]), MachinePackage)
    except (cattrs.BaseValidationError, Refused, KeyError, TypeError, ValueError) as exc:
        raise InvalidBeamData(f"{where} is damaged or incomplete.", hint="Commission again.", detail=repr(exc)) from exc
    if package.digest != tree.get("digest"):
        raise DigestMismatch(
            f"{where} was changed after it was written: its digest does not agree.",
            hint="Restore the original package or commission again.",
        )
    return package


def write_package(path: Path, package: MachinePackage) -> None:
    """Write a package as a new folder.

    Raises
    ------
    InvalidBeamData
        The folder exists and is not empty.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InvalidBeamData(f"'{path}' exists already.", hint="Name a new folder; packages are never overwritten.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".package-") as place:
        folder = Path(place) / "package"
        folder.mkdir()
        with (folder / FILE_NAME).open("wb") as file:
            file.write(package_bytes(package))
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            path.rmdir()
        folder.replace(path)


def read_package(path: Path) -> MachinePackage:
    """Read and verify a package folder (or its JSON file); raises as `package_from_bytes` does."""
    file = path / FILE_NAME if path.is_dir() else path
    try:
        content = file.read_bytes()
    except OSError as exc:
        raise InvalidBeamData(
            f"'{path}' holds no machine package.", hint=f"Choose a folder with a {FILE_NAME}.", detail=repr(exc)
        ) from exc
    return package_from_bytes(content, where=f"'{path}'")
