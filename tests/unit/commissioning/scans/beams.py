"""The reference beam data as curves to write, and a machine file for them."""

from __future__ import annotations

import re
from pathlib import Path

from ert.settings import resources_dir
from tests.unit.commissioning.scans import writers
from tests.unit.commissioning.scans.writers import Beam

DEMO = resources_dir() / "demo_machine" / "beam_data"
APPLICATORS = {"6x6": "A06", "10x10": "A10", "15x15": "A15", "20x20": "A20"}


def side_of(field: str) -> float:
    """Side in cm of an opening '10x10_open' or a cutout '10x10_4x4'."""
    applicator, cutout = field.split("_")
    return float((applicator if cutout == "open" else cutout).split("x")[0])


def depth_dose(energy: int, field: str = "10x10_open", ssd: int = 100) -> Beam:
    table = writers.columns(DEMO / f"{energy:02d}MeV" / f"depth_dose_{field}_ssd{ssd}.csv")
    return Beam(
        kind="depth",
        position=table["depth_cm"],
        value=table["dose_cgy_per_mu"],
        energy=float(energy),
        side=side_of(field),
        ssd=float(ssd),
    )


def profiles(energy: int, field: str = "10x10_open", ssd: int = 100) -> list[Beam]:
    table = writers.columns(DEMO / f"{energy:02d}MeV" / f"profile_x_{field}_ssd{ssd}.csv")
    names = [m[1] for name in table if (m := re.fullmatch(r"dose_(.*)cm", name))]
    return [
        Beam(
            kind="crossline",
            position=table["position_cm"],
            value=table[f"dose_{name}cm"],
            energy=float(energy),
            side=side_of(field),
            ssd=float(ssd),
            depth=float(name),
        )
        for name in names
    ]


def in_air(energy: int) -> list[Beam]:
    """Profiles in air, mirrored to both halves; the distance is the SSD at depth zero."""
    table = writers.columns(DEMO / f"{energy:02d}MeV" / "in_air_10x10_open.csv")
    half = table["position_cm"]
    found = []
    for name in ("fluence_100.0", "fluence_105.0", "fluence_110.0"):
        value = table[name]
        found.append(
            Beam(
                kind="crossline",
                position=[*(-half[::-1]), *half] + 0.0 * half[:1].repeat(2 * len(half)),
                value=[*value[::-1], *value] + 0.0 * value[:1].repeat(2 * len(half)),
                energy=float(energy),
                ssd=float(name.split("_")[1]),
            )
        )
    return found


HEAD = """format = 1
name = "Linac 7"
origin = "made for a test"
[machine]
sad_cm = 100.0
insert_downstream_face_cm = 95.0
insert_thickness_cm = 1.5
insert_material = "cerrobend"
[reference]
applicator = "A10"
cutout = "open"
ssd_cm = 100.0
output_cgy_per_mu = 1.0
"""


def machine_toml(energies=(12,), more: str = "") -> str:
    """A machine file with all applicators and all outputs of some energies; `more` is added at its end."""
    lines = [HEAD]
    for size, name in APPLICATORS.items():
        side = float(size.split("x")[0])
        lines.append(f'[[applicator]]\nid = "{name}"\nopening_x_cm = {side}\nopening_y_cm = {side}\n')
    for energy in energies:
        rows = (DEMO / f"{energy:02d}MeV" / "output_factors.csv").read_text().splitlines()[1:]
        for row in rows:
            applicator, cutout, ssd, _, output, sigma = row.split(",")
            lines.append(
                f'[[output]]\nenergy_mev = {energy}\napplicator = "{applicator}"\ncutout = "{cutout}"\nssd_cm = {ssd}\n'
                f"cgy_per_mu = {output}\nrelative_sigma = {sigma}\n"
            )
    return "\n".join([*lines, more])


def write(folder: Path, **files: str) -> Path:
    """Files of a folder; an underscore before the last word of a name stands for its dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_text(text, encoding="utf-8", newline="")
    return folder
