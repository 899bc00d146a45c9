"""Folders and files → patients, studies, CT series, structure sets, plans and doses. Headers only, nothing is kept.

Every regular file is looked at, whatever its name; links are not followed; each file has a bounded cost
(`ert.dicom.boundary`). What cannot be used is named in a `Finding`, never passed over in silence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ert.dicom import headers
from ert.dicom.boundary import dicom_boundary, peek_modality, read_dataset
from ert.dicom.grouping import ScanResult, group_headers
from ert.dicom.headers import AnyHeader
from ert.domain.record import Finding, Severity
from ert.errors import ImportRejected

MAX_FILES = 50_000
Progress = Callable[[float, str], None]
Check = Callable[[], None]


def _no_progress(_fraction: float, _text: str) -> None:
    return None


def _no_check() -> None:
    return None


def scan(paths: Sequence[Path], *, progress: Progress = _no_progress, check: Check = _no_check) -> ScanResult:
    """Look at every file in the given folders and files.

    Parameters
    ----------
    paths : sequence of Path
        Folders (searched to any depth) and files.
    progress : callable, optional
        Called with a fraction 0–1 and a text.
    check : callable, optional
        Called for every file; raises to stop.

    Raises
    ------
    ImportRejected
        If a path does not exist or there are more than `MAX_FILES` files.
    """
    findings: list[Finding] = []
    files = list(_walk(paths, findings))
    found: list[AnyHeader] = []
    damaged: list[Path] = []
    for index, path in enumerate(files):
        check()
        if index % 20 == 0:
            progress(index / max(1, len(files)), f"Reading headers: {index} of {len(files)}")
        try:
            found.append(_read_header(path))
        except ImportRejected as refused:
            findings.append(_finding_of(path, refused, damaged))
    progress(1.0, f"{len(files)} files read")
    patients = group_headers(found, findings)
    return ScanResult(patients=patients, findings=tuple(findings), damaged_ct=tuple(damaged), file_count=len(files))


def _walk(paths: Sequence[Path], findings: list[Finding]) -> Iterator[Path]:
    """Regular files under the paths, in sorted order, each once; links inside folders are left out."""
    seen: set[Path] = set()
    for start in paths:
        if not start.exists():
            raise ImportRejected(f"'{start}' does not exist.")
        if not start.is_dir():
            yield from _once(start, seen)
            continue
        for folder, subfolders, names in os.walk(start, followlinks=False):
            subfolders.sort()
            here = Path(folder)
            links = [n for n in (*subfolders, *names) if (here / n).is_symlink()]
            if links:
                sentence = f"{len(links)} links in '{here.name}' were not followed."
                findings.append(Finding(severity=Severity.NOTE, code="link", sentence=sentence, subject=here.name))
            for name in sorted(set(names) - set(links)):
                yield from _once(here / name, seen)


def _once(path: Path, seen: set[Path]) -> Iterator[Path]:
    real = path.resolve()
    if real in seen:
        return
    seen.add(real)
    if len(seen) > MAX_FILES:
        raise ImportRejected(f"There are more than {MAX_FILES} files.", hint="Choose a smaller folder.")
    yield path


def _read_header(path: Path) -> AnyHeader:
    dataset = read_dataset(path, keywords=headers.HEADER_KEYWORDS, with_pixels=False)
    with dicom_boundary(path.name):
        return headers.to_any_header(dataset, path)


def _finding_of(path: Path, refused: ImportRejected, damaged: list[Path]) -> Finding:
    """What to say of a file that could not be read; remembers it if it may have been a CT slice."""
    if "is no DICOM" in refused.sentence or "holds no DICOM" in refused.sentence or path.name == "DICOMDIR":
        return Finding(severity=Severity.NOTE, code="not-dicom", sentence=refused.sentence, subject=path.name)
    if peek_modality(path) in ("CT", ""):
        damaged.append(path)
    sentence = refused.sentence if path.name in refused.sentence else f"'{path.name}': {refused.sentence}"
    return Finding(severity=Severity.WARNING, code="damaged", sentence=sentence, subject=path.name)
