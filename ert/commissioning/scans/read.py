"""Reading scanner files: the format is told by the content, never by the file's ending."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from ert.commissioning.curve_files import refuse
from ert.commissioning.scans import mcc, omnipro, rfa300, w2cad
from ert.commissioning.scans.scan import RefusedScan, Scan, ScanFile
from ert.commissioning.scans.text import TextFile, decode
from ert.errors import InvalidBeamData

Reader = Callable[[TextFile], tuple[list[Scan], list[RefusedScan]]]
_HEAD_LINES = 60
_MOST_BYTES = 100_000_000
READABLE = f"{w2cad.FORMAT}, {rfa300.FORMAT} ASCII, {mcc.FORMAT}, {omnipro.FORMAT}"


def read_scan_file(path: Path, name: str | None = None) -> ScanFile:
    """Read one scanner file.

    Parameters
    ----------
    name : what it is called in tables and hints; its own name if None.

    Returns
    -------
    ScanFile
        Its curves; those that cannot be used (photons, wedges, a fault in one curve) are named in `refused`.

    Raises
    ------
    InvalidBeamData
        The file as a whole cannot be used: not readable, unknown, binary, or cut off. With file, line and what to do.
    """
    name = path.name if name is None else name
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise refuse(name, "it is far larger than scans are.", "Choose scanner files.")
        content = path.read_bytes()
    except OSError as exc:
        raise refuse(name, f"it cannot be opened ({exc.strerror}).", "Check path and rights.") from exc
    if _is_rfb(content):
        raise refuse(
            name,
            "it is a binary OmniPro RFB file, which ERT does not read.",
            "Open it in OmniPro-Accept or myQA and export it as RFA300 ASCII (.asc).",
        )
    text = decode(content, name)
    file_format, reader = _recognise(text)
    scans, refused = reader(text)
    return ScanFile(
        name=name,
        file_format=file_format,
        digest=hashlib.sha256(content).hexdigest(),
        scans=tuple(scans),
        refused=tuple(refused),
    )


def scan_paths(arguments: Iterable[Path]) -> list[tuple[Path, str]]:
    """Files named and files below the folders named, each with its name: in a folder, the path from there.

    In the order of the names; hidden files and what lies in hidden folders are not among them.
    """
    found: dict[Path, str] = {}
    for argument in arguments:
        if not argument.is_dir():
            found.setdefault(argument, argument.name)
            continue
        for path in sorted(p for p in argument.rglob("*") if p.is_file()):
            inside = path.relative_to(argument)
            if not any(part.startswith(".") for part in inside.parts):
                found.setdefault(path, inside.as_posix())
    return list(found.items())


def _is_rfb(content: bytes) -> bool:
    """RFB files begin with a length byte, 'Version:' and hold MFC classes such as CBeam."""
    return content[1:9] == b"Version:" or (b"\0" in content[:4096] and b"CBeam" in content[:4096])


def _recognise(file: TextFile) -> tuple[str, Reader]:
    head = [line.text for line in list(file.filled)[:_HEAD_LINES]]
    starts: list[tuple[tuple[str, ...], str, Reader]] = [
        (("$STOM", "$STOD", "$NUMS"), w2cad.FORMAT, w2cad.read_w2cad),
        ((":MSR", ":SYS BDS"), rfa300.FORMAT, rfa300.read_rfa300),
        (("BEGIN_SCAN_DATA",), mcc.FORMAT, mcc.read_mcc),
        (("Points [", "Points["), omnipro.FORMAT, omnipro.read_omnipro),
    ]
    for marks, name, reader in starts:
        if any(text.startswith(marks) for text in head):
            return name, reader
    if any(text.startswith("BEGIN_SCAN") for text in head):
        raise refuse(file.name, "it is an old mcc file without BEGIN_SCAN_DATA.", "Save it anew from MEPHYSTO.")
    if any("opimrtascii" in text.lower() for text in head):
        raise InvalidBeamData(
            f"{file.name}: it is a plane of an array or film (OmniPro-I'mRT), not a scan.",
            hint="Export scans of the water tank.",
        )
    raise refuse(file.name, "it is in no format that ERT reads.", f"Export the scans as {READABLE}.")
