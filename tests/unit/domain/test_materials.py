"""The material library against its sources to the last digit; site materials that cannot be real."""

from __future__ import annotations

import csv
import re

import pytest

from ert.domain.image import Material
from ert.domain.library import check_material
from ert.domain.materials import AIR, is_shipped_name, material_library, material_named, shipped_materials
from ert.errors import Refused
from ert.settings import resources_dir

# Computed table (ICRU 37 collision stopping powers, ICRU 35 scattering powers): row there -> name here.
ROWS = {
    "water": "water", "air": "air", "lung_ICRU46_inflated": "lung", "adipose_ICRU46": "adipose",
    "breast_ICRU46": "breast", "muscle_ICRU46": "muscle", "soft_tissue_ICRU4comp": "soft tissue",
    "skin_ICRU46": "skin", "brain_ICRU46": "brain", "liver_ICRU46": "liver", "cartilage_ICRU46": "cartilage",
    "spongiosa_ICRU46": "spongiosa", "red_marrow_ICRU46": "red marrow", "yellow_marrow_ICRU46": "yellow marrow",
    "bone_cortical_ICRU46": "cortical bone", "bone_compact_ICRU": "compact bone",
    "SB5_bone_substitute": "SB5 bone substitute", "PMMA": "PMMA", "polystyrene": "polystyrene",
    "polyethylene": "polyethylene", "machinable_wax_as_paraffin": "wax", "brass": "brass",
    "stainless_302": "stainless steel", "PLA_solid": "PLA", "ABS_solid": "ABS", "silicone_PDMS": "silicone",
    "aluminium": "aluminium", "titanium": "titanium", "copper": "copper", "tungsten": "tungsten", "lead": "lead",
    "cerrobend": "cerrobend",
}  # fmt: skip


def ratios():
    path = resources_dir() / "tables" / "materials_ratios.csv"
    with path.open(encoding="utf-8") as file:
        return {row["material"]: row for row in csv.DictReader(file)}


def test_every_row_of_the_computed_table_is_in_the_library():
    assert set(ratios()) == set(ROWS)
    assert set(material_library()) == {*ROWS.values(), "gel sheet"}


@pytest.mark.parametrize(("row", "name"), ROWS.items())
def test_the_library_has_the_tables_last_digit(row, name):
    source, found = ratios()[row], material_library()[name]
    assert found.relative_stopping == float(source["lin_Scol_ratio_10MeV"])
    assert found.relative_scattering == float(source["lin_T_ratio_10MeV"])
    assert found.density_g_cm3 == round(float(source["density_g_cm3"]), 4)  # written there in single precision
    assert shipped_materials()[name].source.endswith(source["source"])


def test_the_tables_of_the_physics_brief_agree(development_data):
    """Its section 2.6 prints the same materials with fewer digits."""
    text = (development_data / "physics.md").read_text(encoding="utf-8")
    part = text[text.index("### 2.6") : text.index("### 2.7")]
    names = ("PMMA", "polystyrene", "polyethylene", "machinable wax", "PLA solid", "ABS solid", "silicone PDMS",
             "aluminium", "copper", "brass", "cerrobend", "lead", "tungsten")  # fmt: skip
    for name in names:
        found = re.search(rf"^ {re.escape(name)}\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)", part, re.MULTILINE)
        assert found is not None, name
        m = material_named(name)
        for printed, value in zip(
            found.groups(), (m.density_g_cm3, m.relative_stopping, m.relative_scattering), strict=True
        ):
            decimals = len(printed.partition(".")[2])
            assert abs(value - float(printed)) <= 0.5001 * 10**-decimals, (name, printed, value)


def test_other_names_find_the_same_material():
    assert material_named("Machinable_Wax") is material_named("wax")
    assert material_named("superflab") == Material(
        name="gel sheet", density_g_cm3=1.02, relative_stopping=1.02, relative_scattering=1.02
    )
    assert is_shipped_name("PDMS")
    assert not is_shipped_name("ours")
    assert material_library()["air"] == AIR


@pytest.mark.parametrize("name", [n for n in ROWS.values()])
def test_every_real_material_would_be_accepted_under_another_name(name):
    m = material_library()[name]
    check_material(
        Material(
            name="ours", density_g_cm3=m.density_g_cm3, relative_stopping=m.relative_stopping,
            relative_scattering=m.relative_scattering,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "wax "}, "without blanks"),
        ({"name": "Wax"}, "comes with a material"),
        ({"name": "x" * 65}, "1 to 64"),
        ({"density_g_cm3": 0.0}, "density"),
        ({"density_g_cm3": 920.0}, "g/cm³"),
        ({"relative_stopping": 95.9}, "stopping"),
        ({"relative_stopping": 0.0}, "stopping"),
        ({"relative_stopping": -0.96}, "stopping"),
        ({"relative_scattering": 0.07}, "scattering"),
    ],
)
def test_an_implausible_material_is_refused(changes, sentence):
    values = {"name": "ours", "density_g_cm3": 0.92, "relative_stopping": 0.96, "relative_scattering": 0.73}
    with pytest.raises(Refused, match=sentence):
        check_material(Material(**(values | changes)))
