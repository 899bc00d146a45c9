"""The validation page belongs to its records, the records to the program: nothing it claims can silently grow old."""

import importlib.util
import json
import xml.etree.ElementTree as ET

import pytest

from ert.commissioning.package import read_package
from ert.domain.dose import NUMERICS_VERSION
from ert.settings import resources_dir

ANALYTIC = ("pencil-beam", "pbra")


@pytest.fixture(scope="module")
def tool(repository):
    specification = importlib.util.spec_from_file_location("page", repository / "tools" / "build_validation_page.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def physics(repository):
    return repository / "docs" / "physics"


def test_the_committed_page_and_plots_are_what_their_records_give(tool, physics):
    files = tool.page_files(physics / "validation", NUMERICS_VERSION)
    stale = [name for name, text in files.items() if (physics / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run tools/build_validation_page.py"
    assert {f"validation/{p.name}" for p in (physics / "validation").glob("*.svg")} == set(files) - {"validation.md"}


@pytest.mark.parametrize("engine", ANALYTIC)
def test_the_analytic_records_were_made_with_the_numerics_and_the_machine_of_today(engine, physics):
    record = json.loads((physics / "validation" / f"{engine}.json").read_text(encoding="utf-8"))
    package = read_package(resources_dir() / "demo_machine" / "package")
    assert record["numerics_version"] == NUMERICS_VERSION, "run tools/build_validation_page.py --measure REFERENCE"
    assert record["package_digest"] == package.digest, "run tools/build_validation_page.py --measure REFERENCE"


def test_records_and_plots_stay_small_and_the_plots_are_xml(physics):
    plots = list((physics / "validation").glob("*.svg"))
    assert sum(p.stat().st_size for p in plots) < 1_500_000
    assert {ET.parse(p).getroot().tag for p in plots} == {"{http://www.w3.org/2000/svg}svg"}


def test_every_engine_of_the_page_saw_the_same_reference(physics):
    records = [json.loads(p.read_text(encoding="utf-8")) for p in sorted((physics / "validation").glob("*.json"))]
    depths = [{c["case"]: c["curves"]["depth"]["reference"] for c in r["cases"]} for r in records]
    for other in depths[1:]:
        shared = sorted(set(other) & set(depths[0]))
        assert [other[name] for name in shared] == [depths[0][name] for name in shared]


def test_a_record_of_other_numerics_is_called_out_of_date(tool, physics):
    page = tool.page_files(physics / "validation", NUMERICS_VERSION + 1)["validation.md"]
    assert page.count("these figures are out of date") >= len(ANALYTIC)
    assert "out of date" not in tool.provenance(
        {"numerics_version": 3, "package_digest": "a" * 64, "settings": {}, "cases": []}, 3
    )


@pytest.mark.parametrize(
    ("key", "name", "value", "is_missed"),
    [
        ("gamma22", "12MeV_app10_open_ssd100", 97.99, True),
        ("gamma22", "12MeV_app10_open_ssd100", 98.0, False),
        ("gamma22", "B1_12MeV", 80.0, False),
        ("centre", "12MeV_app10_open_ssd100", 1.016, True),
        ("centre", "12MeV_app10_cut3x3_ssd100", 1.016, False),
        ("centre", "12MeV_app10_cut3x3_ssd100", 0.969, True),
        ("dR50_mm", "20MeV_app20_open_ssd100", -0.51, True),
        ("dR50_mm", "20MeV_app20_open_ssd100", -0.5, False),
    ],
)
def test_what_misses_a_stated_goal_is_marked(tool, key, name, value, is_missed):
    assert tool.misses_goal(key, {"case": name, key: value}) is is_missed


def test_an_output_of_the_axis_is_judged_only_where_no_quieter_one_is_there(tool):
    assert tool.misses_goal("output", {"case": "12MeV_app10_open", "output": 1.02}) is True
    assert tool.misses_goal("output", {"case": "12MeV_app10_open", "output": 1.02, "centre": 1.0}) is False
