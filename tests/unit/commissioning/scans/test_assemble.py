"""From scans to a beam data folder: what is taken, what is refused and why, and the numbers in the folder."""

import json
import math

import attrs
import numpy as np
import pytest

from ert.app.beam_data_service import build_beam_data
from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.scans.ionisation import stopping_power_ratio
from ert.errors import InvalidBeamData
from tests.unit.commissioning.scans import beams, writers
from tests.unit.commissioning.scans.beams import depth_dose, in_air, machine_toml, profiles, write

OPEN = "[scans]\nfield_size_is_open_applicator = true\n"
AXES = '[axes.rfa300]\nx = "inline"\ny = "crossline"\n[axes.omnipro]\ncrossline = "crossline"\ninline = "inline"\n'


def build(tmp_path, toml, *, out="out", **more):
    (tmp_path / "machine.toml").write_text(toml, encoding="utf-8")
    return build_beam_data([tmp_path / "scans"], machine=tmp_path / "machine.toml", out=tmp_path / out, **more)


@pytest.fixture
def reference():
    return [depth_dose(12), *profiles(12)]


def test_the_folder_holds_the_curves_in_cgy_per_mu(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=writers.mcc(reference, scale=0.37))
    found = build(tmp_path, machine_toml(more=OPEN))
    assert (found["refused"], found["left_out"], found["warnings"]) == ([], [], [])
    data = read_beam_data(tmp_path / "out")
    assert (data.name, data.machine.sad_cm, data.machine.insert_distance_cm) == ("Linac 7", 100.0, 95.0)
    energy = data.energies[0]
    original = read_beam_data(beams.DEMO, energies_mev=[12.0]).energies[0]
    theirs = {c.name: c for c in original.curves}
    assert len(energy.curves) == 6
    for curve in energy.curves:
        there = theirs[curve.name]
        assert curve.position_cm == pytest.approx(there.position_cm)
        # Profiles hang on one noisy point on the axis (1 % of 1 cGy/MU), the depth dose on its smoothed maximum.
        assert curve.dose == pytest.approx(there.dose, abs=0.005 if curve.kind == "depth_dose" else 0.025)
        assert curve.dose / curve.dose.max() == pytest.approx(there.dose / there.dose.max(), abs=2e-4)
    ours = {o.field.name: o for o in energy.outputs}
    for output in original.outputs:
        if output.field.name in ours:
            assert ours[output.field.name].cgy_per_mu == output.cgy_per_mu
            assert ours[output.field.name].relative_sigma == output.relative_sigma


def test_outputs_without_depth_of_maximum_need_their_depth_dose(tmp_path, reference):
    """The 4x4 cutout's output is listed but neither its depth of maximum nor its depth dose is there."""
    write(tmp_path / "scans", a_mcc=writers.mcc(reference))
    found = build(tmp_path, machine_toml(more=OPEN))
    told = [w for e in found["missing"] for w in e["missing"]]
    unused = next(w for w in told if "unused so far" in w)
    assert "A10 4x4 SSD 100" in unused
    assert "A10 open SSD 100" not in unused


def test_the_record_keeps_raw_numbers_source_and_every_step(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=writers.mcc(reference, scale=0.37))
    build(tmp_path, machine_toml(more=OPEN + "[processing]\ncentre = true\n"), is_smoothed=True, is_symmetrised=True)
    record = json.loads((tmp_path / "out" / "record.json").read_text(encoding="utf-8"))
    assert [c["curve"] for c in record["curves"]] == [1, 2, 3, 4, 5, 6]
    raw = [float(v) for v in record["curves"][0]["raw_values"].split()]
    assert raw == [float(writers.engineering(0.37 * v)) for v in reference[0].value]
    steps = " ".join(record["curves"][1]["history"])
    for word in ("Read from a.mcc, curve 2", "Smoothed", "Centred", "Symmetrised", "Normalised"):
        assert word in steps
    index = (tmp_path / "out" / "beam_data.toml").read_text(encoding="utf-8")
    assert "Symmetrised" in index


def test_the_same_input_makes_the_same_bytes(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=writers.mcc(reference))
    for out in ("one", "two"):
        build(tmp_path, machine_toml(more=OPEN), out=out)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(files) == 9
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)


@pytest.mark.parametrize("name", ["w2cad", "rfa300", "mcc", "omnipro"])
def test_every_format_leads_to_the_same_folder(tmp_path, reference, name):
    write(tmp_path / "scans", **{f"{name}_txt": getattr(writers, name)(reference)})
    hint = '[[scan]]\nfile = "w2cad*"\nenergy_mev = 12\n'
    found = build(tmp_path, machine_toml(more=OPEN + AXES + hint))
    assert found["refused"] == []
    energy = read_beam_data(tmp_path / "out").energies[0]
    assert sorted({c.axis for c in energy.curves}) == ["", "crossline"]
    first = next(c for c in energy.curves if c.kind == "depth_dose")
    assert first.dose / first.dose.max() == pytest.approx(reference[0].value / reference[0].value.max(), abs=1e-4)
    assert found["energies"][0]["reference_r50_cm"] == pytest.approx(4.904, abs=0.005)


def test_a_tank_turned_against_the_machine_is_put_right(tmp_path):
    tilted = [
        depth_dose(12),
        *[
            writers.Beam(kind=k, position=b.position, value=b.value * (1 + 0.02 * b.position), depth=0.5)
            for b in profiles(12)[:1]
            for k in ("crossline", "inline")
        ],
    ]
    write(tmp_path / "scans", a_asc=writers.rfa300(tilted, x_is="inline"))
    build(tmp_path, machine_toml(more=OPEN + '[axes.rfa300]\nx = "-inline"\ny = "crossline"\n'))
    curves = {c.axis: c for c in read_beam_data(tmp_path / "out").energies[0].curves}
    slope = {
        axis: np.interp(4, c.position_cm, c.dose) - np.interp(-4, c.position_cm, c.dose) for axis, c in curves.items()
    }
    assert slope["crossline"] == pytest.approx(0.142, abs=0.03)  # 0.16 of a value of 0.89
    assert slope["inline"] == pytest.approx(-slope["crossline"], abs=0.01)


def test_profiles_of_a_tank_whose_axes_nobody_stated_are_refused(tmp_path, reference):
    write(tmp_path / "scans", a_asc=writers.rfa300(reference))
    with pytest.raises(InvalidBeamData, match=r"12 MeV lacks profiles of A10 open SSD 100"):
        build(tmp_path, machine_toml(more=OPEN))
    assert not (tmp_path / "out").exists()


def test_what_the_file_does_not_state_is_asked_for_and_taken_from_the_physicist(tmp_path, reference):
    write(tmp_path / "scans", ref_asc=writers.w2cad(reference), cut_asc=writers.w2cad([depth_dose(12, "10x10_4x4")]))
    seen = []
    with pytest.raises(InvalidBeamData, match="No energy can be commissioned"):
        build(tmp_path, machine_toml(), show=seen.append)
    assert all("its energy is not stated" in r["reason"] for r in seen[0]["refused"])
    assert 'file = "cut.asc" and energy_mev' in seen[0]["refused"][0]["todo"]
    hints = (
        '[[scan]]\nfile = "*.asc"\nenergy_mev = 12\n'
        '[[scan]]\nfile = "ref.asc"\napplicator = "A10"\ncutout = "open"\n'
        '[[scan]]\nfile = "cut.asc"\napplicator = "A10"\ncutout = "4x4"\n'
    )
    found = build(tmp_path, machine_toml(more=hints))
    assert found["refused"] == []
    assert {c["cutout"] for c in found["recognised"]} == {"open", "4x4"}
    assert found["recognised"][0]["history"][1] == "The machine file gives energy_mev 12.0."


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("energy_mev = 6", "the file states energy_mev 12.0, the machine file 6.0"),
        ("ssd_cm = 110", "the file states ssd_cm 100.0, the machine file 110.0"),
        ('applicator = "A20"\ncutout = "4x4"', "states a field side of 10 cm, which is not A20 4x4"),
        ('medium = "air"', "the file states medium water, the machine file air"),
        ('detector = "diode"', "the file states detector diamond, the machine file diode"),
        ("leave_out = true", "left out on request"),
    ],
)
def test_a_contradiction_is_refused_and_never_resolved(tmp_path, reference, hint, told):
    write(tmp_path / "scans", a_mcc=writers.mcc(reference))
    seen = []
    with pytest.raises(InvalidBeamData, match="No energy"):
        build(tmp_path, machine_toml(more=f'{OPEN}[[scan]]\nfile = "a.mcc"\n{hint}\n'), show=seen.append)
    assert {r["index"] for r in seen[0]["refused"]} == {1, 2, 3, 4, 5, 6}
    assert all(told in r["reason"] for r in seen[0]["refused"])


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        (machine_toml(more=OPEN).replace("format = 1", "format = 2"), "format is 2, not 1"),
        (machine_toml(more=OPEN).replace("sad_cm = 100.0", "sad_cm = -1"), "'sad_cm' must be a positive number"),
        (machine_toml(more="[procesing]\n"), "'procesing' is not known"),
        (machine_toml(more="[processing]\ncenter = true\n"), "'center' is not known"),
        (machine_toml(more='[processing]\ncentre = "yes"\n'), "'centre' must be true or false"),
        (machine_toml(more='[[scan]]\nfile = "*"\napplicator = "A10"\n'), "belong together"),
        (machine_toml(more='[[scan]]\nfile = "*"\napplicator = "A99"\ncutout = "open"\n'), "'A99' is not listed"),
        (machine_toml(more='[[scan]]\nfile = "*"\ncurves = "1"\n'), "must be a list of numbers"),
        (machine_toml(more='[axes.rfa300]\nx = "inline"\ny = "inline"\n'), "not one 'crossline' and one 'inline'"),
        (machine_toml(more='[axes.snc]\nx = "inline"\n'), "'snc' is not known"),
        (machine_toml(energies=(12, 12)), "is given twice"),
        (machine_toml().replace("[reference]", "[referenz]"), "'referenz' is not known"),
        ("format = ", "cannot be read"),
    ],
)  # fmt: skip
def test_a_machine_file_with_a_fault_is_refused_with_its_place(tmp_path, reference, toml, told):
    write(tmp_path / "scans", a_mcc=writers.mcc(reference))
    with pytest.raises(InvalidBeamData, match=told):
        build(tmp_path, toml)
    assert not (tmp_path / "out").exists()


def test_one_bad_file_or_photons_among_good_ones_are_named(tmp_path, reference):
    write(
        tmp_path / "scans",
        a_mcc=writers.mcc(reference),
        photons_mcc=writers.mcc(reference, modality="X"),
        cut_mcc=writers.mcc(reference)[:5000],
        notes_txt="measured on a Monday",
    )
    found = build(tmp_path, machine_toml(more=OPEN))
    told = {(r["file"], r["index"]): r["reason"] for r in found["refused"]}
    assert "cut off" in told["cut.mcc", 0]
    assert "in no format" in told["notes.txt", 0]
    assert sum(file == "photons.mcc" and "not electrons" in reason for (file, _), reason in told.items()) == 6
    assert {c["file"] for c in found["recognised"]} == {"a.mcc"}


def test_the_same_curve_twice_is_not_chosen_from(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=writers.mcc(reference), b_mcc=writers.mcc(reference[:1]))
    found = build(tmp_path, machine_toml(more=OPEN))
    assert [(r["file"], r["index"]) for r in found["refused"]] == [("b.mcc", 1)]
    assert "the same curve as a.mcc, curve 1" in found["refused"][0]["reason"]


def test_a_profile_without_depth_dose_of_its_field_is_refused(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=writers.mcc([*reference, *profiles(12, "6x6_open")[:1]]))
    found = build(tmp_path, machine_toml(more=OPEN))
    assert "there is no depth dose of A06 open SSD 100 at 12 MeV" in found["refused"][0]["reason"]


def test_an_energy_that_lacks_its_reference_is_left_out_and_named(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=writers.mcc([*reference, depth_dose(6)]))
    found = build(tmp_path, machine_toml(energies=(6, 12), more=OPEN))
    assert found["left_out"] == [{"energy_mev": 6.0, "lacks": ["profiles of A10 open SSD 100"]}]
    assert [e.energy_mev for e in read_beam_data(tmp_path / "out").energies] == [12.0]


def test_profiles_in_air_are_taken_with_their_distance_from_the_source(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=writers.mcc(reference), air_mcc=writers.mcc(in_air(12), medium="AIR"))
    found = build(tmp_path, machine_toml(more=OPEN), is_ionisation=True, is_smoothed=False)
    assert found["refused"] == []
    air = read_beam_data(tmp_path / "out").energies[0].air_profiles
    assert [a.distance_cm for a in air] == [100.0, 105.0, 110.0]
    assert air[0].fluence == pytest.approx(in_air(12)[0].value, rel=1e-4)


def chamber_scan(reference, radius_mm="2.75", **more):
    named = {"DETECTOR": "THIMBLE_CHAMBER", "DETECTOR_RADIUS": radius_mm, "DETECTOR_NAME": "PTW 31010", **more}
    return writers.mcc(reference, **named)


def test_a_chamber_that_is_not_converted_is_pointed_out(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=chamber_scan(reference))
    told = " ".join(build(tmp_path, machine_toml(more=OPEN))["warnings"])
    assert "use --ionisation" in told
    assert "effective_point = true" in told


def test_a_depth_ionisation_leads_to_the_range_of_the_dose(tmp_path, reference):
    """The reference depth dose over the stopping-power ratios is what a plane-parallel chamber would read."""
    z, dose = reference[0].position, reference[0].value
    ratio = stopping_power_ratio(np.clip(z, 0.02 * 4.904, 1.2 * 4.904), 4.904)
    ionisation = [attrs.evolve(reference[0], value=dose / ratio), *reference[1:]]
    write(tmp_path / "scans", a_mcc=writers.mcc(ionisation, DETECTOR="PLANE_PARALLEL_CHAMBER"))
    r50 = {}
    for asked in (True, False):
        found = build(tmp_path, machine_toml(more=OPEN), out=f"out_{asked}", is_ionisation=asked)
        r50[asked] = found["energies"][0]["reference_r50_cm"]
    assert r50[True] == pytest.approx(4.904, abs=0.02)
    assert r50[False] < 4.86


def test_applicators_whose_names_differ_in_signs_only_keep_apart(tmp_path, reference):
    toml = machine_toml(more=OPEN).replace('"A10"', '"A-1"').replace('"A06"', '"A 1"')
    write(tmp_path / "scans", a_mcc=writers.mcc([*reference, depth_dose(12, "6x6_open")]))
    build(tmp_path, toml)
    curves = read_beam_data(tmp_path / "out").energies[0].curves
    assert sorted(c.field.applicator_id for c in curves if c.kind == "depth_dose") == ["A 1", "A-1"]


def test_a_chamber_is_shifted_and_converted_on_request(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=chamber_scan(reference))
    toml = machine_toml(more=OPEN + "[processing]\neffective_point = true\n")
    found = build(tmp_path, toml, is_ionisation=True)
    assert found["warnings"] == []
    curves = read_beam_data(tmp_path / "out").energies[0].curves
    depth = next(c for c in curves if c.kind == "depth_dose")
    assert depth.position_cm == pytest.approx(reference[0].position[1:] - 0.1375)  # the first lay above the water then
    assert sorted(c.depth_cm for c in curves if c.kind == "profile") == pytest.approx(
        sorted(b.depth - 0.1375 for b in reference[1:])
    )
    history = next(c for c in found["recognised"] if c["kind"] == "depth dose")["history"]
    assert [h.split()[0] for h in history] == ["Read", "Depths", "Ionisation", "Left", "Normalised:"]


def test_an_effective_point_needs_a_known_detector(tmp_path, reference):
    write(tmp_path / "scans", a_asc=writers.rfa300(reference, detector="ION"))
    more = OPEN + AXES + "[processing]\neffective_point = true\nchamber_radius_cm = 0.3\n"
    with pytest.raises(InvalidBeamData, match="whether it was scanned with a cylindrical chamber is not stated"):
        build(tmp_path, machine_toml(more=more))
    hint = '[[scan]]\nfile = "*.asc"\ndetector = "cylindrical chamber"\n'
    found = build(tmp_path, machine_toml(more=more + hint))
    assert any("0.15 cm less" in h for h in found["recognised"][0]["history"])


def test_a_hint_for_no_file_and_an_energy_that_does_not_fit_are_pointed_out(tmp_path):
    mislabelled = [attrs.evolve(b, energy=6.0) for b in (depth_dose(12), *profiles(12))]
    write(tmp_path / "scans", a_mcc=writers.mcc(mislabelled))
    hint = '[[scan]]\nfile = "b*.mcc"\nenergy_mev = 6\n'
    told = build(tmp_path, machine_toml(energies=(6,), more=OPEN + hint))["warnings"]
    assert told[0] == "machine.toml [[scan]] 1: no curve fits file = 'b*.mcc'."
    assert "R50 of 4.90 cm belongs to about 11.4 MeV, it is said to be 6 MeV" in told[1]


def test_files_in_folders_are_called_by_their_path(tmp_path, reference):
    write(tmp_path / "scans" / "12MeV", a_asc=writers.w2cad(reference))
    found = build(tmp_path, machine_toml(more=OPEN + '[[scan]]\nfile = "12MeV/*"\nenergy_mev = 12\n'))
    assert {c["file"] for c in found["recognised"]} == {"12MeV/a.asc"}


def test_an_effective_point_needs_a_radius(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=chamber_scan(reference, radius_mm="0.00"))
    more = OPEN + "[processing]\neffective_point = true\n"
    with pytest.raises(InvalidBeamData, match="No energy"):
        build(tmp_path, machine_toml(more=more))
    found = build(tmp_path, machine_toml(more=more + "chamber_radius_cm = 0.3\n"))
    assert any("0.15 cm less than the chamber's centre" in h for h in found["recognised"][0]["history"])


def test_what_is_missing_is_listed(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=writers.mcc(reference[:2]))
    told = " | ".join(build(tmp_path, machine_toml(more=OPEN))["missing"][0]["missing"])
    for words in (
        "depth dose and output of A06 open",
        "profiles in air",
        "extended SSD",
        "cutouts",
        "in the photon tail",
    ):
        assert words in told


def test_nothing_is_overwritten(tmp_path, reference):
    write(tmp_path / "scans", a_mcc=writers.mcc(reference))
    write(tmp_path / "out", mine_txt="keep me")
    with pytest.raises(InvalidBeamData, match="exists already"):
        build(tmp_path, machine_toml(more=OPEN))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_two_files_of_one_name_are_not_mixed_up(tmp_path, reference):
    for folder in ("scans", "more"):
        write(tmp_path / folder, a_mcc=writers.mcc(reference))
    (tmp_path / "machine.toml").write_text(machine_toml(more=OPEN))
    found = build_beam_data(
        [tmp_path / "scans", tmp_path / "more"], machine=tmp_path / "machine.toml", out=tmp_path / "out"
    )
    assert "another file has the same name" in found["refused"][0]["reason"]
    assert not math.isnan(found["energies"][0]["reference_r50_cm"])
