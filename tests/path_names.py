"""Names that try to be paths: what may stand in a DICOM object, a file of measured data, a key file or a field."""

from __future__ import annotations

import itertools

UPWARDS = (
    "..", "../x", "../../x", "..\\x", "..\\..\\x", "a/../../x", "./../x", "....//x", "..;/x", "%2e%2e/x", "..%2fx",
    "..%5cx", "..\u2215x", "..\uff0fx", "\u2024\u2024/x", ".. /x", "../", "a/..", "a/./../../x", "/../x",
)  # fmt: skip
ABSOLUTE = (
    "/x", "//x", "/etc/passwd", "\\x", "\\\\server\\share\\x", "C:\\x", "C:x", "c:/x", "file:///x", "~/x", "~root",
    "/proc/self/environ", "\\\\?\\C:\\x", "\\\\.\\COM1", "/dev/stdout",
)  # fmt: skip
RESERVED = (
    "CON", "con.txt", "PRN", "AUX", "NUL", "COM1", "LPT9", "x.", "x ", " x", ".", "", "-rf", "--help", "x:y", "x|y",
    "x<y>", "x?*", "x\0y", "x\ny", "x\r\ny", "\u202egpj.x", "$HOME", "${HOME}", "`id`", "$(id)", "{0}", "%s%n",
)  # fmt: skip
LONG = ("x" * 255, "x" * 300, "x" * 5000, "é" * 200, "../" * 100 + "x", "😀" * 90, "a" * 254 + "/..")
FEW = (*UPWARDS, *ABSOLUTE, *RESERVED, *LONG)

_STEPS = (
    "../",
    "..\\",
    "./../",
    "a/../../",
    ".../",
    "..//",
    "..%2f",
    "%2e%2e%5c",
    "..\u2216",
    "..\0/",
    " ../",
    "..\t/",
)
_TARGETS = ("x", "x.csv", "x.json", "site.db", "CT_0001.dcm", "etc/passwd", "keys/slots/x.json", "x\0.dcm")
_DEVICES = ("CON", "PRN", "AUX", "NUL", "CLOCK$", "COM1", "COM9", "LPT1", "CONIN$", "com\u00b9")
_ENDS = ("", ".", " ", ".dcm", ".tar.gz", ":stream", "::$DATA", "/..", "\\..")
_SIGNS = (
    "\u202e", "\u2066", "\u200b", "\ufeff", "\u0000", "\u0001", "\u001b[2J", "\u007f", "\u0085", "\u2028", "\u0301",
    "\u00e9", "e\u0301", "\u212a", "\uff0e\uff0e", "\U0001f600", "\ud7a3", "\ufffd", "\ufffe",
    "\u5c71\u7530^\u592a\u90ce",
)  # fmt: skip


def _more() -> list[str]:
    climbs = [step * depth + target for step, depth, target in itertools.product(_STEPS, (1, 2, 4), _TARGETS)]
    devices = [name + end for name, end in itertools.product(_DEVICES, _ENDS)]
    signs = [form.format(sign) for sign, form in itertools.product(_SIGNS, ("{}", "x{}", "{}/../x", "..{}/x"))]
    return [*climbs, *devices, *signs]


ALL = tuple(dict.fromkeys((*FEW, *_more())))
