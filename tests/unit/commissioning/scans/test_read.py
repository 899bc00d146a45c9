"""Scanner files of four formats, written independently from the reference beam data, read back number by number."""

import codecs

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ert.commissioning.scans.read import read_scan_file, scan_paths
from ert.commissioning.scans.scan import CROSSLINE, DEPTH_DOSE, DIAGONAL, INLINE, PROFILE
from ert.commissioning.scans.text import decode, number
from ert.errors import InvalidBeamData
from ert.settings import resources_dir
from tests.unit.commissioning.scans import writers
from tests.unit.commissioning.scans.writers import Beam

FOLDER = resources_dir() / "demo_machine" / "beam_data" / "12MeV"


@pytest.fixture(scope="module")
def beams():
    """Depth dose, crossline and a lopsided inline profile of the reference field."""
    depth = writers.columns(FOLDER / "depth_dose_10x10_open_ssd100.csv")
    across = writers.columns(FOLDER / "profile_x_10x10_open_ssd100.csv")
    tilt = 1.0 + 0.02 * across["position_cm"]
    return [
        Beam(kind="depth", position=depth["depth_cm"], value=depth["dose_cgy_per_mu"]),
        Beam(kind="crossline", position=across["position_cm"], value=across["dose_2.74cm"] * tilt, depth=2.7),
        Beam(kind="inline", position=across["position_cm"], value=across["dose_2.74cm"] * tilt, depth=2.7),
    ]


def written(tmp_path, text, name="scans.txt", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return read_scan_file(path)


def percent(beam, digits):
    return [float(f"{v:.{digits}f}") for v in 100.0 * beam.value / beam.value.max()]


def test_w2cad_gives_every_number_and_what_it_states(beams, tmp_path):
    found = written(tmp_path, writers.w2cad(beams))
    assert (found.file_format, found.refused) == ("W2CAD", ())
    assert [s.curve for s in found.scans] == [DEPTH_DOSE, CROSSLINE, INLINE]
    for scan, beam in zip(found.scans, beams, strict=True):
        assert scan.positions_cm.tolist() == [float(f"{10 * p:.2f}") / 10.0 for p in beam.position]
        assert scan.values.tolist() == percent(beam, 3)
        assert (scan.field_x_cm, scan.field_y_cm, scan.ssd_cm) == (10.0, 10.0, 100.0)
        assert (scan.energy_mev, scan.medium) == (None, None)  # the format has neither
        assert (scan.unit, scan.detector, scan.detector_kind) == ("percent", "EFD 3G", "diode")
    assert [s.depth_cm for s in found.scans] == [None, 2.7, 2.7]


def test_rfa300_leaves_the_axis_open_because_it_does_not_state_it(beams, tmp_path):
    found = written(tmp_path, writers.rfa300(beams))
    assert (found.file_format, found.refused) == ("RFA300", ())
    assert [(s.curve, s.tank_axis) for s in found.scans] == [(DEPTH_DOSE, "z"), (PROFILE, "y"), (PROFILE, "x")]
    for scan, beam in zip(found.scans, beams, strict=True):
        assert scan.positions_cm.tolist() == [float(f"{10 * p:.2f}") / 10.0 for p in beam.position]
        assert scan.values.tolist() == percent(beam, 3)
        assert (scan.energy_mev, scan.ssd_cm, scan.field_x_cm, scan.unit) == (12.0, 100.0, 10.0, "relative")


@pytest.mark.parametrize("inline", ["GUN_TARGET", "TARGET_GUN"])
@pytest.mark.parametrize("crossline", ["LEFT_RIGHT", "RIGHT_LEFT"])
def test_mcc_turns_its_axes_into_those_of_iec_61217(beams, tmp_path, inline, crossline):
    found = written(tmp_path, writers.mcc(beams, inline=inline, crossline=crossline), encoding="latin-1")
    assert (found.file_format, found.refused) == ("PTW mcc", ())
    assert [s.curve for s in found.scans] == [DEPTH_DOSE, CROSSLINE, INLINE]
    for scan, beam in zip(found.scans, beams, strict=True):
        assert scan.positions_cm.tolist() == pytest.approx(beam.position.tolist(), abs=1e-12)
        assert scan.values.tolist() == [float(writers.engineering(v)) for v in beam.value]
        assert (scan.energy_mev, scan.ssd_cm, scan.medium, scan.unit) == (12.0, 100.0, "water", "A.U.")
        assert (scan.detector, scan.detector_kind) == ("PTW 60019 microDiamond", "diamond")
    assert np.max(np.abs(found.scans[2].values - beams[2].value)) < 1e-4


@pytest.mark.parametrize("decimal", [",", "."])
def test_omnipro_csv_with_either_decimal_sign(beams, tmp_path, decimal):
    found = written(tmp_path, writers.omnipro(beams, decimal=decimal))
    assert (found.file_format, found.refused) == ("OmniPro CSV", ())
    assert [(s.curve, s.tank_axis) for s in found.scans] == [
        (DEPTH_DOSE, "depth"),
        (PROFILE, "crossline"),
        (PROFILE, "inline"),
    ]
    for scan, beam in zip(found.scans, beams, strict=True):
        assert scan.positions_cm.tolist() == [float(f"{10 * p:.2f}") / 10.0 for p in beam.position]
        assert scan.values.tolist() == percent(beam, 4)
        assert (scan.energy_mev, scan.ssd_cm, scan.field_x_cm, scan.medium) == (12.0, 100.0, 10.0, "water")
        assert (scan.applicator, scan.detector_kind) == ("Cone 10", "diode")


@pytest.mark.parametrize("separator", [",", ", ", "\t", ";"])
@pytest.mark.parametrize("names", [True, False])
def test_omnipro_csv_with_any_separator_is_the_same(beams, tmp_path, separator, names):
    plain = written(tmp_path, writers.omnipro(beams, decimal=".", names=names)).scans
    found = written(tmp_path, writers.omnipro(beams, decimal=".", names=names, separator=separator))
    assert found.refused == ()
    for scan, other in zip(found.scans, plain, strict=True):
        assert scan.positions_cm.tolist() == other.positions_cm.tolist()
        assert scan.values.tolist() == other.values.tolist()
        assert (scan.curve, scan.tank_axis, scan.energy_mev, scan.ssd_cm, scan.field_x_cm, scan.applicator) == (
            other.curve, other.tank_axis, other.energy_mev, other.ssd_cm, other.field_x_cm, other.applicator
        )  # fmt: skip


def test_decimal_commas_between_blanks_do_not_separate(beams, tmp_path):
    found = written(tmp_path, writers.omnipro(beams, decimal=",", separator="  ", names=False))
    plain = written(tmp_path, writers.omnipro(beams, decimal=",", names=False))
    assert [s.values.tolist() for s in found.scans] == [s.values.tolist() for s in plain.scans]


def test_commas_that_separate_and_are_decimal_signs_are_refused(beams, tmp_path):
    found = written(tmp_path, writers.omnipro(beams, decimal=",", separator=","))
    assert found.scans == ()
    assert len(found.refused) == 3


def test_omnipro_columns_without_names_are_taken_in_the_order_of_the_format_and_it_says_so(beams, tmp_path):
    found = written(tmp_path, writers.omnipro(beams, names=False))
    assert [s.tank_axis for s in found.scans] == ["depth", "crossline", "inline"]
    assert all("not named" in s.remarks[0] for s in found.scans)


def test_a_chamber_of_an_mcc_file_is_known_with_its_radius(beams, tmp_path):
    more = {"DETECTOR": "THIMBLE_CHAMBER", "DETECTOR_RADIUS": "2.75", "DETECTOR_NAME": "PTW 31010 Semiflex"}
    scan = written(tmp_path, writers.mcc(beams[:1], **more)).scans[0]
    assert (scan.detector_kind, scan.detector_radius_cm) == ("cylindrical chamber", 0.275)


def test_a_direction_that_mcc_does_not_state_stays_open(beams, tmp_path):
    scans = written(tmp_path, writers.mcc(beams[1:], INPLANE_AXIS_DIR=None, CROSSPLANE_AXIS_DIR=None)).scans
    assert [(s.curve, s.tank_axis) for s in scans] == [(PROFILE, "crossline"), (PROFILE, "inline")]


def test_depth_dose_tags_around_every_curve_do_not_matter_the_titles_do(beams, tmp_path):
    found = written(tmp_path, writers.w2cad(beams, tags=("$STOD", "$ENOD")))
    assert [s.curve for s in found.scans] == [DEPTH_DOSE, CROSSLINE, INLINE]


def test_scans_taken_downwards_or_from_right_to_left_come_out_rising(beams, tmp_path):
    turned = [
        Beam(kind=b.kind, position=b.position[::-1], value=b.value[::-1], depth=b.depth, energy=b.energy) for b in beams
    ]
    for writer in (writers.w2cad, writers.rfa300, writers.omnipro):
        there, back = (written(tmp_path, writer(which)).scans for which in (beams, turned))
        for one, other in zip(there, back, strict=True):
            assert one.positions_cm.tolist() == other.positions_cm.tolist()
            assert one.values.tolist() == other.values.tolist()


@pytest.mark.parametrize("name", ["w2cad", "rfa300", "mcc", "omnipro"])
@pytest.mark.parametrize("ending", [".asc", ".mcc", ".csv", ""])
def test_the_content_tells_the_format_not_the_ending(beams, tmp_path, name, ending):
    expected = {"w2cad": "W2CAD", "rfa300": "RFA300", "mcc": "PTW mcc", "omnipro": "OmniPro CSV"}[name]
    assert written(tmp_path, getattr(writers, name)(beams), name="scan" + ending).file_format == expected


@pytest.mark.parametrize("name", ["w2cad", "rfa300", "mcc", "omnipro"])
@pytest.mark.parametrize("dress", ["bom", "utf-16", "latin-1", "lf", "cr"])
def test_encodings_and_line_ends_change_no_number(beams, tmp_path, name, dress):
    text = getattr(writers, name)(beams)
    plain = written(tmp_path, text)
    lines = text.replace("\r\n", "\n")
    content = {
        "bom": codecs.BOM_UTF8 + text.encode(),
        "utf-16": text.encode("utf-16"),
        "latin-1": text.encode("latin-1"),
        "lf": lines.encode(),
        "cr": lines.replace("\n", "\r").encode(),
    }[dress]
    dressed = written(tmp_path, content)
    assert len(dressed.scans) == len(plain.scans) == 3
    for one, other in zip(plain.scans, dressed.scans, strict=True):
        assert one.values.tolist() == other.values.tolist()
        assert one.positions_cm.tolist() == other.positions_cm.tolist()


@pytest.mark.parametrize("name", ["w2cad", "rfa300", "mcc"])
@pytest.mark.parametrize("part", [0.3, 0.62, 0.97])
def test_a_file_that_was_cut_off_is_refused_as_a_whole(beams, tmp_path, name, part):
    text = getattr(writers, name)(beams)
    with pytest.raises(InvalidBeamData, match=r"scans\.txt, line \d+: .*(cut off|does not end)"):
        written(tmp_path, text[: int(part * len(text))])


def test_lost_measurements_and_lost_points_are_noticed(beams, tmp_path):
    with pytest.raises(InvalidBeamData, match="says that it holds 4 curves and holds 3"):
        written(tmp_path, writers.rfa300(beams).replace(":MSR \t3", ":MSR \t4"))
    with pytest.raises(InvalidBeamData, match="says that it holds 4 curves and holds 3"):
        written(tmp_path, writers.w2cad(beams).replace("$NUMS 003", "$NUMS 004"))
    lines = writers.w2cad(beams).splitlines()
    del lines[30]
    found = written(tmp_path, "\n".join(lines))
    assert "the header says 50 points, there are 49" in found.refused[0].reason
    assert found.refused[0].reason.startswith("scans.txt, line 15")
    assert len(found.scans) == 2


FAULTS = [
    ("w2cad", "+086.750>", "n/a>", "'n/a' is no number", 1),
    ("w2cad", "+003.00 +086.750>", "+086.750>", "3 columns where 4 are expected", 1),
    ("w2cad", "%FLSZ 100*100", "%FLSZ 005*005", "field of 0.5 cm makes no sense", 1),
    ("w2cad", "%SSD  1000", "%SSD  100", "an SSD of 10 cm makes no sense", 1),
    ("w2cad", "%DPTH 027", "%DPTH 003", "says 0.3 cm deep, the points lie at 2.7 cm", 2),
    ("w2cad", "%AXIS X", "%AXIS Y", "%AXIS is Y, its points move along x", 2),
    ("w2cad", "%TYPE OPD", "%TYPE OPP", "its type is OPP, its points make a depth dose", 1),
    ("w2cad", "%TYPE OPD", "%TYPE MeasuredDepthDosesForApplicator", "is of type MeasuredDepthDoses", 1),
    ("w2cad", "%BMTY ELE", "%BMTY PHO", "the beam is 'PHO', not electrons", 1),
    ("w2cad", "%BMTY ELE", "%BMTZ ELE", "the kind of beam is not stated", 1),
    ("rfa300", "ELE\t", "PHO\t", "the beam is 'PHO', not electrons", 1),
    ("rfa300", "  86.750", "  86,750", "decimal comma and decimal point are mixed", 1),
    ("rfa300", "%GPO \t0", "%GPO \t90", "the gantry angle is 90", 1),
    ("rfa300", "%CPO \t0", "%CPO \t90", "the collimator angle is 90", 1),
    ("rfa300", "%PTS \t50", "%PTS \t51", "the header says 51 points, there are 50", 1),
    ("rfa300", "%SSD \t1000", "%SSD \t10000", "an SSD of 1000 cm makes no sense", 1),
    ("rfa300", "%SCN \tDPT", "%SCN \tMTX", "the scan type is MTX", 1),
    ("mcc", "MODALITY=EL", "MODALITY=X", "the beam is 'X', not electrons", 1),
    ("mcc", "SCAN_CURVETYPE=PDD", "SCAN_CURVETYPE=TPR", "the curve type is TPR", 1),
    ("mcc", "DEPTH_AXIS_DIR=UP_DOWN", "DEPTH_AXIS_DIR=DOWN_UP", "the depth axis runs DOWN_UP", 1),
    ("mcc", "COLL_ANGLE=0.00", "COLL_ANGLE=90.00", "the collimator angle is 90", 1),
    ("mcc", "GANTRY=0.00", "GANTRY=270.00", "the gantry stood at 270", 1),
    ("mcc", "SCAN_OFFAXIS_INPLANE=0.00", "SCAN_OFFAXIS_INPLANE=25.00", "does not pass the central axis", 1),
    ("mcc", "\t\t10.187E+00", "\t\t-", "'-' is no number", 1),
    ("mcc", "\t\t10.187E+00", "", "3 columns where 2 are expected", 1),
    ("omnipro", "12 MeV", "12 MV", "the beam is photons", 1),
    ("omnipro", "12 MeV", "12", "the energy is not stated with its unit", 1),
    ("omnipro", "86,7497", "NaN", "'NaN' is no number", 1),
    ("omnipro", "86,7497; 0,0; 0,0", "86,7497", "4 columns where 6 are expected", 1),
    ("omnipro", "Points [mm]", "Points [inch]", "positions are in 'inch'", 1),
    ("omnipro", "Scan type:; Beam", "Scan type:; Inline", "the scan type is inline, its points move along z", 1),
    ("omnipro", "100 mm x 100 mm", "100 mm x 10 cm", "mixes millimetres and centimetres", 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "good", "bad", "told", "curve"), FAULTS)
def test_a_fault_of_one_curve_is_named_with_its_line_and_spares_the_others(
    *, beams, tmp_path, name, good, bad, told, curve
):
    text = getattr(writers, name)(beams)
    assert good in text
    found = written(tmp_path, text.replace(good, bad, 1))
    assert [r.index for r in found.refused] == [curve]
    assert told in found.refused[0].reason
    assert found.refused[0].reason.startswith("scans.txt, line ")
    assert found.refused[0].todo
    assert sorted([s.index for s in found.scans] + [curve]) == [1, 2, 3]


def test_a_point_that_is_cut_in_the_middle_spoils_the_file(beams, tmp_path):
    with pytest.raises(InvalidBeamData, match="line 18: a data point does not end"):
        written(tmp_path, writers.w2cad(beams).replace("+082.927>", "+082.9", 1))


def test_centimetres_where_millimetres_belong_are_noticed_by_the_field(beams, tmp_path):
    shrunk = [Beam(kind=b.kind, position=b.position / 10.0, value=b.value, depth=b.depth) for b in beams[1:]]
    for writer in (writers.w2cad, writers.rfa300, writers.mcc, writers.omnipro):
        found = written(tmp_path, writer(shrunk))
        assert [r.index for r in found.refused] == [1, 2]
        assert "spans 1.9 cm of a field of 10 cm" in found.refused[0].reason


def test_diagonals_and_turned_scans_are_not_taken_for_profiles(beams, tmp_path):
    scans = written(tmp_path, writers.mcc(beams[1:], SCAN_DIAGONAL="FIRST_DIAGONAL")).scans
    assert [s.curve for s in scans] == [DIAGONAL, DIAGONAL]
    scans = written(tmp_path, writers.mcc(beams[1:], SCAN_ANGLE="45.00")).scans
    assert [s.curve for s in scans] == [DIAGONAL, DIAGONAL]


@pytest.mark.parametrize(
    ("content", "told", "todo"),
    [
        (b"\x0cVersion: 6.6.26.0\x01\0\xff\xff\x01\0\x05\0CBeam", "binary OmniPro RFB", "RFA300 ASCII"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "is a binary file", "as text"),
        (b"", "in no format", "W2CAD"),
        (b"depth,dose\n1,100\n", "in no format", "W2CAD"),
        (b"BEGIN_SCAN 1\nBEGIN_DATA\n", "old mcc file", "MEPHYSTO"),
        (b"<opimrtascii>\n<asciiheader>\n", "plane of an array", "water tank"),
        (b"$NUMS 0\n$ENOF\n", "holds no curve", "again"),
    ],
)
def test_other_files_are_refused_with_what_to_do(tmp_path, content, told, todo):
    with pytest.raises(InvalidBeamData, match=told) as refusal:
        written(tmp_path, content)
    assert todo in refusal.value.hint


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidBeamData, match="cannot be opened"):
        read_scan_file(tmp_path / "nothing.asc")


def test_a_folder_stands_for_its_files(tmp_path):
    for name in ("b.asc", "a.mcc", ".hidden", "6MeV/a.mcc", ".git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = scan_paths([tmp_path, tmp_path / "a.mcc"])
    assert [name for _, name in found] == ["6MeV/a.mcc", "a.mcc", "b.asc"]
    assert found[0][0] == tmp_path / "6MeV" / "a.mcc"


EDITS = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["", "\n", "=", "%", "<", ";", ",", "1e9", "-", ":EOM"])))


@pytest.mark.parametrize("name", ["w2cad", "rfa300", "mcc", "omnipro"])
@given(edits=EDITS, cut=st.booleans())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path_factory, name, edits, cut):
    x = np.linspace(-7.0, 7.0, 29)
    text = getattr(writers, name)(
        [
            Beam(kind="depth", position=x + 7.0, value=np.exp(-(x**2))),
            Beam(kind="inline", position=x, value=np.exp(-((x / 5) ** 4)), depth=1.0),
        ]
    )
    for place, what in edits:
        at = int(place * len(text))
        text = text[:at] + what + text[at + (0 if what else 7) :]
    path = tmp_path_factory.mktemp("any") / "x"
    path.write_text(text[: len(text) // 2] if cut else text, encoding="utf-8")
    try:
        found = read_scan_file(path)
    except InvalidBeamData:
        return
    assert all(np.all(np.diff(s.positions_cm) >= 0) and np.all(np.isfinite(s.values)) for s in found.scans)


TEXT = decode(b"", "x")


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_is_the_same_with_point_and_comma(value):
    text = f"{value:.6e}"
    assert number(text, TEXT, 1) == float(text)
    assert number(text.replace(".", ","), TEXT, 1) == float(text)


@given(st.text(max_size=12))
def test_what_is_no_plain_number_is_refused_and_never_fails_otherwise(text):
    try:
        found = number(text, TEXT, 1)
    except InvalidBeamData:
        return
    assert found == float(text.strip().replace(",", "."))


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"$STOM\n", b":MSR \t1\n", b"BEGIN_SCAN_DATA\n", b"Points [mm]:\n"])
)
def test_no_file_whatever_makes_the_reader_fail_otherwise_than_by_refusal(tmp_path_factory, content, head):
    path = tmp_path_factory.mktemp("any") / "x"
    path.write_bytes(head + content)
    try:
        found = read_scan_file(path)
    except InvalidBeamData:
        return
    assert found.scans or found.refused
