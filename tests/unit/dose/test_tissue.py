"""Tissue quantities against the published rows of the curve and materials."""

import numpy as np
import pytest

from ert.domain.image import CtCurve, CtCurvePoint, CtImage, DensityOverride, Material
from ert.domain.materials import (
    ct_curve_from_csv,
    default_ct_curve,
    material_library,
    material_named,
    materials_from_csv,
)
from ert.dose.tissue import build_tissue, curve_table
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from tests.shapes import box, structure_set

GRID = VoxelGrid(origin_cm=(-4, -4, -2), spacing_cm=(0.2, 0.2, 0.4), shape_zyx=(11, 41, 41))
PLANES = np.arange(-2, 2.01, 0.4)
EXTERNAL = box((-3.1, 3.1), (-3.1, 3.1), PLANES, number=1, name="BODY")


def image(hu):
    values = np.full(GRID.shape_zyx, hu, dtype=np.int16) if np.isscalar(hu) else hu.astype(np.int16)
    return CtImage(
        grid=GRID,
        hu=values,
        frame_of_reference_uid="1.2",
        study_instance_uid="1.3",
        series_instance_uid="1.4",
        sop_instance_uids=tuple(f"1.4.{n}" for n in range(11)),
        patient_position="HFS",
    )


def tissue(hu, overrides=(), parts=(), **kwargs):
    return build_tissue(
        image(hu),
        external=EXTERNAL,
        structures=structure_set(EXTERNAL, *parts),
        curve=default_ct_curve(),
        overrides=overrides,
        **kwargs,
    )


def at(result, values, point_cm):
    i, j, k = np.rint(result.grid.index_xyz(point_cm)).astype(int)
    return float(values[k, j, i])


@pytest.mark.parametrize(
    ("hu", "stopping", "scattering", "density"),
    [  # ICRU 46 tissues; last: half way between adipose (-73) and water (0), and both ends
        (0, 1.0, 1.0, 1.0),
        (42, 1.039, 1.028, 1.05),
        (-741, 0.269, 0.257, 0.26),
        (1404, 1.722, 2.626, 1.92),
        (-1000, 0.0011, 0.0011, 0.0012),
        (-3024, 0.0011, 0.0011, 0.0012),
        (-36.5, 0.979, 0.9115, 0.975),
    ],
)
def test_default_curve_gives_the_published_ratios(hu, stopping, scattering, density):
    table = curve_table(default_ct_curve())
    low, high = table[int(np.floor(hu)) + 32768], table[int(np.ceil(hu)) + 32768]
    assert (low + high) / 2 == pytest.approx([stopping, scattering, density], rel=1e-5)


def test_curve_is_constant_beyond_its_ends():
    curve = CtCurve(
        name="two",
        points=(
            CtCurvePoint(hu=-10, density_g_cm3=0.5, relative_stopping=0.4, relative_scattering=0.3),
            CtCurvePoint(hu=10, density_g_cm3=1.5, relative_stopping=1.4, relative_scattering=1.3),
        ),
    )
    table = curve_table(curve)
    assert table[0] == pytest.approx([0.4, 0.3, 0.5])
    assert table[-1] == pytest.approx([1.4, 1.3, 1.5])
    assert table[32768] == pytest.approx([0.9, 0.8, 1.0])


def test_outside_external_is_air_whatever_the_ct_says():
    result = tissue(1000)
    for values in (result.relative_stopping, result.relative_scattering, result.density_g_cm3):
        assert at(result, values, (3.4, 0, 0)) == pytest.approx(0.0012)
    assert at(result, result.density_g_cm3, (3.0, 3.0, 0)) > 1.5


def test_grid_is_cropped_to_external_and_keeps_positions():
    result = tissue(0)
    assert result.grid.shape_zyx == (11, 35, 35)  # 31 voxels of EXTERNAL and 2 of margin on each side
    assert result.grid.point_cm((2, 2, 0)) == pytest.approx((-3.0, -3.0, -2.0))
    with pytest.raises(ValueError, match="read-only"):
        result.density_g_cm3[0, 0, 0] = 1


def test_overrides_apply_in_order_and_reach_outside_external():
    bolus = box((-3.1, 3.1), (-3.9, -3.1), PLANES, number=2, name="Bolus")
    plug = box((-1.1, 1.1), (-3.9, -2.1), PLANES, number=3, name="Plug")
    orders = [
        DensityOverride(structure_number=2, material=material_named("wax")),
        DensityOverride(structure_number=3, material=material_named("lead")),
    ]
    result = tissue(0, orders, (bolus, plug))
    assert at(result, result.relative_stopping, (2, -3.6, 0)) == pytest.approx(0.9593)
    assert at(result, result.relative_scattering, (2, -3.6, 0)) == pytest.approx(0.7257)
    assert at(result, result.density_g_cm3, (0, -3.6, 0)) == pytest.approx(11.35)
    assert at(result, result.density_g_cm3, (0, -2.4, 0)) == pytest.approx(11.35)
    assert at(result, result.density_g_cm3, (0, -1.8, 0)) == pytest.approx(1.0)
    swapped = tissue(0, orders[::-1], (bolus, plug))
    assert at(swapped, swapped.density_g_cm3, (0, -3.6, 0)) == pytest.approx(0.92)


def test_override_mixes_by_the_fraction_of_the_voxel():
    part = box((-1.1, 1.15), (-1.1, 1.1), PLANES, number=2)  # reaches a quarter into the voxel at x = 1.2
    heavy = Material(name="heavy", density_g_cm3=5.0, relative_stopping=3.0, relative_scattering=9.0)
    result = tissue(0, [DensityOverride(structure_number=2, material=heavy)], (part,))
    assert at(result, result.density_g_cm3, (1.2, 0, 0)) == pytest.approx(0.25 * 5 + 0.75)
    assert at(result, result.relative_scattering, (1.2, 0, 0)) == pytest.approx(0.25 * 9 + 0.75)


def test_metal_is_warned_of_unless_overridden():
    hu = np.zeros(GRID.shape_zyx)
    hu[5, 18:23, 18:23] = 3000
    (warning,) = tissue(hu).warnings
    assert "0.40 cm³" in warning  # 25 voxels of 0.016 cm³
    assert "2500 HU" in warning
    cover = box((-1.1, 1.1), (-1.1, 1.1), PLANES, number=2)
    assert (
        tissue(hu, [DensityOverride(structure_number=2, material=material_named("titanium"))], (cover,)).warnings == ()
    )
    hu[:] = 0
    hu[:, 0, :] = 3000  # outside EXTERNAL
    assert tissue(hu).warnings == ()


def test_what_the_scanner_did_not_see_within_the_patient_is_told():
    hu = np.zeros(GRID.shape_zyx)
    hu[5, 18:23, 18:23] = -2000
    (warning,) = tissue(hu).warnings
    assert "0.40 cm³" in warning  # 25 voxels of 0.016 cm³
    assert "taken for air" in warning
    hu[5, 18:23, 18:23] = -1024  # air, as scanners write it
    assert tissue(hu).warnings == ()
    hu[:, 0, :] = -2000  # outside EXTERNAL
    assert tissue(hu).warnings == ()


def test_external_outside_the_image_is_refused():
    far = box((50, 60), (50, 60), PLANES, name="BODY")
    with pytest.raises(Refused, match="does not lie in the image"):
        build_tissue(image(0), external=far, structures=structure_set(far), curve=default_ct_curve())


def test_material_library_matches_the_literature():
    library = material_library()
    assert library["water"] == Material(name="water", density_g_cm3=1, relative_stopping=1, relative_scattering=1)
    assert library["lead"].relative_stopping / 11.35 == pytest.approx(
        1.201 / 1.968, rel=2e-3
    )  # ESTAR, 10 MeV: lead, water
    assert material_named("Cortical_Bone") is library["cortical bone"]
    with pytest.raises(Refused, match="no material 'unobtainium'"):
        material_named("unobtainium")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("HU,density\n0,1\n", "lacks the column mass_density_g_cm3"),
        ("{h}\n0,1,1,1\nx,1,1,1\n", "line 3: 'x' in column HU is not a number"),
        ("{h}\n0,1,1,1\n1,nan,1,1\n", "not a finite number"),
        ("{h}\n0,1,1,1\n", "at least two points"),
        ("{h}\n0,1,1,1\n0,1,1,1\n", "must rise"),
    ],
)
def test_bad_curve_files_are_refused(text, sentence):
    head = "HU,mass_density_g_cm3,rel_linear_collision_stopping_power,rel_linear_scattering_power"
    with pytest.raises(Refused, match=sentence):
        ct_curve_from_csv(text.replace("{h}", head), name="mine")


def test_material_named_twice_is_refused():
    head = "material,density_g_cm3,rel_linear_collision_stopping_power,rel_linear_scattering_power\n"
    with pytest.raises(Refused, match="comes twice"):
        materials_from_csv(head + "a,1,1,1\na,2,2,2\n")
