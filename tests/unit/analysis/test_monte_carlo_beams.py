"""Depths, field sizes and penumbrae of Monte Carlo beams against the figures that were derived with them, elsewhere."""

import json

import numpy as np
import pytest

from ert.analysis.depth import depth_quantities
from ert.analysis.profile import profile_quantities

NEAR_AXIS_CM = 0.5


def unfold(case, folder):
    """Dose [z, y, x] of the whole field, and the centres of its voxels."""
    data = np.load(folder / case["file"])
    dose, edges = data["dose"], {a: data[f"{a}_edges"] for a in "xyz"}
    for name, axis in (("x", 2), ("y", 1)):
        if case["symmetry"][f"fold_{name}"]:
            dose = np.concatenate([np.flip(dose, axis), dose], axis)
            edges[name] = np.concatenate([-edges[name][:0:-1], edges[name]])
    return dose, {a: (e[1:] + e[:-1]) / 2 for a, e in edges.items()}


def open_cases(folder):
    found = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"]
    return [c for c in found if "derived" in c and c["kind"] == "water" and "open" in c["name"]]


def test_open_fields_in_water(development_data):
    folder = development_data / "reference"
    cases = open_cases(folder)
    assert len(cases) >= 4
    for case in cases:
        dose, at = unfold(case, folder)
        wanted = case["derived"]
        x_middle, y_middle = (np.abs(at[a]) < NEAR_AXIS_CM for a in "xy")
        depth_dose = dose[:, y_middle][:, :, x_middle].mean(axis=(1, 2))
        found = depth_quantities(at["z"], depth_dose, sigma=0.005 * depth_dose.max())
        wide = (
            4.0 if case["energy_MeV"] > 12 else 1.0
        )  # its plateau and fall-off are flat: 1 % of noise is a millimetre
        assert found.r50_cm == pytest.approx(wanted["R50_cm"], abs=0.03 * max(wide / 2, 1)), case["name"]
        assert found.r80_cm == pytest.approx(wanted["R80_cm"], abs=0.04 * wide), case["name"]
        assert found.r90_cm == pytest.approx(wanted["R90_cm"], abs=0.04 * wide), case["name"]
        assert found.rp_cm == pytest.approx(wanted["Rp_cm"], abs=0.11 * max(wide / 2, 1)), case["name"]
        assert found.depth_of_maximum_cm == pytest.approx(wanted["zmax_cm"], abs=0.35 * wide), case["name"]
        assert 100 * found.tail_frac == pytest.approx(wanted["tail_pct"], abs=0.6), case["name"]
        k = int(np.argmin(np.abs(at["z"] - wanted["zmax_cm"])))
        profile = profile_quantities(at["x"], dose[k - 1 : k + 2][:, y_middle].mean(axis=(0, 1)))
        assert profile.width_cm / 2 == pytest.approx(wanted["x50_at_zmax_cm"], abs=0.04), case["name"]
        # 80 % of one voxel on the axis: its noise of 0.5 to 1 % moves the shoulder by a millimetre
        assert np.mean(profile.penumbra_80_20_cm) == pytest.approx(wanted["penumbra_80_20_at_zmax_cm"], abs=0.15)
        assert profile.central_flatness_pct > 0
        assert profile.symmetry_pct == pytest.approx(0.0, abs=1e-3)  # the data are folded
