"""Writers of scanner files for tests, after public descriptions and samples of the formats, apart from the readers.

Curves are given in the machine's axes (IEC 61217 beam's eye, collimator 0), lengths in cm; each writer puts them into
the format's own units, order of columns and axes, as the instrument would.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import attrs
import numpy as np

TITLES = {"depth": "PDD", "inline": "INPLANE_PROFILE", "crossline": "CROSSPLANE_PROFILE"}


@attrs.frozen(kw_only=True)
class Beam:
    """One curve to write. kind: depth, crossline, inline; position and depth in cm."""

    kind: str
    position: np.ndarray
    value: np.ndarray
    energy: float = 12.0
    side: float = 10.0
    ssd: float = 100.0
    depth: float = 0.0


def beam_points(beam, *, inline_sign=1.0):
    """(x, y, z) in mm with x crossline, y inline."""
    zero = np.zeros(len(beam.position))
    along = beam.position * 10.0
    z = zero + beam.depth * 10.0
    return {"depth": (zero, zero, along), "crossline": (along, zero, z), "inline": (zero, inline_sign * along, z)}[
        beam.kind
    ]


def w2cad(beams, *, modality="ELE", detector="DIO", tags=("$STOM", "$ENOM"), newline="\r\n", digits=3):
    lines = [f"$NUMS {len(beams):03d}"]
    for beam in beams:
        x, y, z = beam_points(beam)
        lines += [tags[0], "#", "# Comment: made for a test", "# Detector: EFD 3G", "# Operator: nobody", "#"]
        lines += ["%VERSION 02", "%DATE 20-09-2026", f"%DETY {detector}", f"%BMTY {modality}"]
        lines += [f"%FLSZ {beam.side * 10:03.0f}*{beam.side * 10:03.0f}"]
        lines += [f"%TYPE {'OPD' if beam.kind == 'depth' else 'OPP'}"]
        lines += [f"%AXIS {dict(depth='Z', crossline='X', inline='Y')[beam.kind]}", f"%PNTS {len(x)}", "%STEP 020"]
        lines += [f"%SSD  {beam.ssd * 10:.0f}"]
        if beam.kind != "depth":
            lines.append(f"%DPTH {beam.depth * 10:03.0f}")
        top = 100.0 / beam.value.max()
        for a, b, c, d in zip(x, y, z, beam.value * top, strict=True):
            lines.append(f"<{a:+07.2f} {b:+07.2f} {c:+07.2f} {d:+0{digits + 5}.{digits}f}>")
        lines.append(tags[1])
    return newline.join([*lines, "$ENOF", ""])


def rfa300(beams, *, x_is="inline", modality="ELE", detector="SEM", comma=False):
    lines = [f":MSR \t{len(beams)}\t # No. of measurement in file", ":SYS BDS 0 # Beam Data Scanner System"]
    for number, beam in enumerate(beams, start=1):
        x, y, z = beam_points(beam)
        if x_is == "inline":
            x, y = y, x
        lines += ["#", "# RFA300 ASCII Measurement Dump ( BDS format )", "#", f"# Measurement number \t{number}", "#"]
        lines += ["%VNR 1.0", "%MOD \tRAT", "%TYP \tSCN ", f"%SCN \t{'DPT' if beam.kind == 'depth' else 'PRO'} "]
        lines += [f"%FLD \t{detector} ", "%DAT \t12-09-2026", "%TIM \t13:26:36"]
        lines += [f"%FSZ \t{beam.side * 10:.0f}\t{beam.side * 10:.0f}", f"%BMT \t{modality}\t   {beam.energy:.1f}"]
        lines += [f"%SSD \t{beam.ssd * 10:.0f}", "%BUP \t0", f"%BRD \t{beam.ssd * 10:.0f}", "%FSH \t-1", "%ASC \t0"]
        lines += ["%WEG \t0", "%GPO \t0", "%CPO \t0", f"%MEA \t{1 if beam.kind == 'depth' else 2}"]
        lines += [f"%PRD \t{beam.depth * 100:.4f}".replace(".", ","), f"%PTS \t{len(x)}"]
        lines += [f"%STS \t{x[0]:8.1f}\t{y[0]:8.1f}\t{z[0]:8.1f} # Start Scan values in mm ( X , Y , Z )"]
        lines += [f"%EDS \t{x[-1]:8.1f}\t{y[-1]:8.1f}\t{z[-1]:8.1f} # End Scan values in mm ( X , Y , Z )"]
        lines += ["! a comment", "!", "#", "#\t  X      Y      Z     Dose", "#"]
        for a, b, c, d in zip(x, y, z, 100.0 * beam.value / beam.value.max(), strict=True):
            row = f"= \t{a:7.1f}\t{b:7.1f}\t{c:7.2f}\t{d:8.3f}"
            lines.append(row.replace(".", ",") if comma else row)
        lines.append(":EOM  # End of Measurement")
    return "\r\n".join([*lines, ":EOF # End of File", ""])


def engineering(value):
    """PTW's way: a power of ten in steps of three, five significant digits."""
    if value == 0:
        return "0.0000E+00"
    power = 3 * math.floor(math.log10(abs(value)) / 3)
    mantissa = value / 10.0**power
    return f"{mantissa:.{4 - len(str(int(abs(mantissa)))) + 1}f}E{power:+03d}"


def mcc(beams, *, modality="EL", inline="GUN_TARGET", crossline="LEFT_RIGHT", medium="WATER", scale=1.0, **more):
    lines = [
        "BEGIN_SCAN_DATA",
        "\tFORMAT=CC-Export V1.9                  ",
        "\tFILE_CREATION_DATE=14-Sep-2026 14:09:23",
    ]
    for number, beam in enumerate(beams, start=1):
        direction = {"depth": "UP_DOWN", "inline": inline, "crossline": crossline}[beam.kind]
        sign = -1.0 if direction in ("GUN_TARGET", "RIGHT_LEFT") else 1.0
        header = {
            "TASK_NAME": "tba PDD Profiles", "LINAC": "ACCÉLÉRATEUR 1", "MODALITY": modality, "ISOCENTER": "1000.00",
            "INPLANE_AXIS": "Inplane", "CROSSPLANE_AXIS": "Crossplane", "DEPTH_AXIS": "Depth",
            "INPLANE_AXIS_DIR": inline, "CROSSPLANE_AXIS_DIR": crossline, "DEPTH_AXIS_DIR": "UP_DOWN",
            "ENERGY": f"{beam.energy:.2f}", "SSD": f"{beam.ssd * 10:.2f}", "WEDGE_ANGLE": "0.00",
            "FIELD_INPLANE": f"{beam.side * 10:.2f}", "FIELD_CROSSPLANE": f"{beam.side * 10:.2f}",
            "GANTRY": "0.00", "GANTRY_UPRIGHT_POSITION": "0", "COLL_ANGLE": "0.00",
            "DETECTOR": "DIAMOND_DETECTOR", "DETECTOR_RADIUS": "0.00", "DETECTOR_NAME": "PTW 60019 microDiamond",
            "SCAN_CURVETYPE": TITLES[beam.kind],
            "SCAN_DEPTH": None if beam.kind == "depth" else f"{beam.depth * 10:.2f}",
            "SCAN_OFFAXIS_INPLANE": "0.00", "SCAN_OFFAXIS_CROSSPLANE": "0.00", "SCAN_ANGLE": "0.00",
            "SCAN_DIAGONAL": "NOT_DIAGONAL", "MEAS_MEDIUM": medium, "MEAS_UNIT": "A.U.", **more,
        }  # fmt: skip
        lines.append(f"\tBEGIN_SCAN  {number}")
        lines += [f"\t\t{key}={value}" for key, value in header.items() if value is not None]
        lines.append("\t\tBEGIN_DATA")
        rows = sorted(zip(sign * beam.position * 10.0, beam.value * scale, strict=True))
        lines += [f"\t\t\t{p:.2f}\t\t{engineering(v)}\t\t10.187E+00" for p, v in rows]
        lines += ["\t\tEND_DATA", f"\tEND_SCAN  {number}"]
    return "\n".join([*lines, "END_SCAN_DATA", ""])


def omnipro(beams, *, unit="MeV", medium="Water", decimal=",", names=True, inline_sign=1.0, separator="; "):
    lines = []
    for beam in beams:
        x, y, z = beam_points(beam, inline_sign=inline_sign)
        kind = {"depth": "Beam", "inline": "Inline", "crossline": "Crossline"}[beam.kind]
        lines += ["22.05.2026 10:11:12", "", "Measured quantity:; Relative dose", f"Energy:; {beam.energy:g} {unit}"]
        lines += [
            "Wedge angle:; 0",
            "Gantry angle:; 0",
            "Collimator angle:; 0",
            "Applicator:; Cone 10",
            "SAD:; 1000 mm",
        ]
        lines += [f"SSD:; {beam.ssd * 10:.0f} mm", f"Field size:; {beam.side * 10:.0f} mm x {beam.side * 10:.0f} mm"]
        lines += ["Detector:; Electron field diode", f"Measurement medium:; {medium}", f"Scan type:; {kind}", ""]
        lines.append("Points [mm]:")
        lines.append("Inline; Crossline; Depth; Value; Reference; Ratio" if names else "; ; ; ; ; ")
        for a, b, c, d in zip(x, y, z, 100.0 * beam.value / beam.value.max(), strict=True):
            lines.append(f"{b:.2f}; {a:.2f}; {c:.2f}; {d:.4f}; 0.0; 0.0".replace(".", decimal))
        lines.append("")
    return "\r\n".join(lines).replace("; ", separator)


def columns(path: Path) -> dict[str, np.ndarray]:
    """Columns of a CSV file by their names."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if not name.startswith("app")}
