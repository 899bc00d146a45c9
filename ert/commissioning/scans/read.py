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


def read_scan_file(path: Path) -> ScanFile:
    """Read one scanner file.

    Returns
    -------
    ScanFile
        Its curves; those that cannot be used (photons, wedges, a fault in one curve) are named in `refused`.

    Raises
    ------
    InvalidBeamData
        The file as a whole cannot be used: not readable, unknown, binary, or cut off. With file, line and what to do.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise refuse(path.name, "it is far larger than scans are.", "Choose scanner files.")
        content = path.read_bytes()
    except OSError as exc:
        raise refuse(path.name, f"it cannot be opened ({exc.strerror}).", "Check path and rights.") from exc
    if _is_rfb(content):
        raise refuse(
            path.name,
            "it is a binary OmniPro RFB file, which ERT does not read.",
            "Open it in OmniPro-Accept or myQA and export it as RFA300 ASCII (.asc).",
        )
    text = decode(content, path.name)
    file_format, reader = _recognise(text)
    scans, refused = reader(text)
    return ScanFile(
        name=path.name,
        file_format=file_format,
        digest=hashlib.sha256(content).hexdigest(),
        scans=tuple(scans),
        refused=tuple(refused),
    )


def scan_paths(arguments: Iterable[Path]) -> list[Path]:
    """The files named, and those directly in the folders named, in the order of their names; hidden files are not."""
    found: list[Path] = []
    for argument in arguments:
        if argument.is_dir():
            found.extend(sorted(p for p in argument.iterdir() if p.is_file() and not p.name.startswith(".")))
        else:
            found.append(argument)
    return list(dict.fromkeys(found))


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
