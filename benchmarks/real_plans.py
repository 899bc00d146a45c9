"""Electron RT Plans of several vendors through ``ert dose``, on box phantoms made to fit them.

The plans have no CT. For each one a water box is written whose surface stands at the plan's SSD, in the plan's own
frame of reference, patient and structure set UIDs. Says for each whether it was computed or with which sentence it was
refused.

    python benchmarks/real_plans.py --plans ../shared/dicom/electron_rtplans --machine MACHINE
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from phantom_study import Block, Phantom, write_ct, write_structures
from pydicom.uid import generate_uid

BOX_CM = 20.0
VOXEL_CM = 0.25


def phantom_for(plan: pydicom.Dataset) -> Phantom:
    """A water box in front of the first electron beam: its near face at the stated SSD (100 cm if there is none)."""
    beam = next(b for b in plan.BeamSequence if b.RadiationType == "ELECTRON")
    point = beam.ControlPointSequence[0]
    isocentre = np.asarray([float(v) / 10 for v in point.IsocenterPosition])
    gantry = np.radians(float(point.GantryAngle))
    ssd_cm = float(point.get("SourceToSurfaceDistance") or 1000) / 10
    sad_cm = float(beam.SourceAxisDistance) / 10
    direction = np.array([-np.sin(gantry), np.cos(gantry), 0.0])  # head first supine, couch 0
    entry = isocentre + direction * (ssd_cm - sad_cm)
    low = np.where(np.abs(direction) > 0.7, np.minimum(entry, entry + BOX_CM * direction), entry - BOX_CM / 2)
    low = np.round(low / VOXEL_CM, 6)
    box = [(float(a) * VOXEL_CM, float(a) * VOXEL_CM + BOX_CM) for a in low]
    extent = tuple((a - 2.0, b + 2.0) for a, b in box)
    setup = plan.PatientSetupSequence[0] if "PatientSetupSequence" in plan else {}
    references = plan.get("ReferencedStructureSetSequence")
    return Phantom(
        blocks=(Block("water", *box),),
        extent_cm=extent,
        voxel_cm=VOXEL_CM,
        patient_id=str(plan.get("PatientID") or "UNKNOWN"),
        patient_name=str(plan.get("PatientName") or "Unknown"),
        frame_uid=str(plan.get("FrameOfReferenceUID") or generate_uid()),
        study_uid=str(plan.get("StudyInstanceUID") or generate_uid()),
        structure_uid=str(references[0].ReferencedSOPInstanceUID) if references else generate_uid(),
        patient_position=str(setup.get("PatientPosition") or "HFS"),
    )


def run_plan(path: Path, machine: Path) -> dict[str, Any]:
    """One plan through the command."""
    plan = pydicom.dcmread(path, force=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        phantom = phantom_for(plan)
        slices = write_ct(folder / "ct", phantom)
        write_structures(folder / "rs.dcm", phantom, slices)
        return run_ert(folder / "ct", folder / "rs.dcm", path, machine, folder / "out")


def run_ert(ct: Path, structures: Path, plan: Path, machine: Path, out: Path) -> dict[str, Any]:
    """The command's exit code, sentence and summary."""
    command = [
        str(Path(sys.executable).with_name("ert")), "dose", "--ct", str(ct), "--structures", str(structures),
        "--plan", str(plan), "--machine", str(machine), "--out", str(out), "--json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    left = sorted(p.name for p in out.iterdir()) if out.exists() else []
    row: dict[str, Any] = {"plan": plan.name, "exit_code": done.returncode, "files": left}
    if done.returncode:
        return {**row, "sentence": done.stderr.strip()}
    return {**row, "beams": answer["beams"], "warnings": answer["warnings"]}


def main() -> int:
    """Run every plan of the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plans", type=Path, required=True)
    parser.add_argument("--machine", type=Path, required=True)
    chosen = parser.parse_args()
    rows = [run_plan(path, chosen.machine) for path in sorted(chosen.plans.glob("*.dcm"))]
    print(json.dumps(rows, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
