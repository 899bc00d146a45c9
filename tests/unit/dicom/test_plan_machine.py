"""What an RT Plan says of the machine: jaws, applicator, cutout, equipment; also judged by dciodvfy."""

from __future__ import annotations

import shutil
import subprocess

import attrs
import pytest
from pydicom import dcmread

from ert.dicom.export import export_course_plan
from ert.dicom.readback import compare_plan
from ert.dicom.validate import validate_files
from ert.domain.machine_configuration import ApplicatorSetting, JawSetting, MachineConfiguration
from ert.errors import ExportRejected

CONFIGURATION = MachineConfiguration(
    treatment_machine_name="LA3",
    manufacturer="Maker of linacs",
    model_name="Model 7",
    serial_number="0042",
    tray_distance_cm=94.0,
    applicators=(
        ApplicatorSetting(applicator_id="A15", accessory_code="APP15", tray_id="T15", block_accessory_code="BLK-7"),
    ),
    jaws=(
        JawSetting(applicator_id="A15", x1_cm=-10.0, x2_cm=10.0, y1_cm=-10.0, y2_cm=10.0),
        JawSetting(applicator_id="A15", energy_mev=12.0, x1_cm=-8.5, x2_cm=9.0, y1_cm=-7.0, y2_cm=7.5),
        JawSetting(applicator_id="A06x10", energy_mev=6.0, x1_cm=-6.0, x2_cm=6.0, y1_cm=-7.0, y2_cm=7.0),
    ),
)
SYMMETRIC = MachineConfiguration(
    has_symmetric_jaws=True,
    jaws=(JawSetting(applicator_id="A15", x1_cm=-9.0, x2_cm=9.0, y1_cm=-8.0, y2_cm=8.0),),
)


def source_on(export_source, configuration):
    source = export_source(ct_files=(), dose=None)
    machine = attrs.evolve(source.machines["DEMO LINAC"], configuration=configuration)
    return attrs.evolve(source, machines={"DEMO LINAC": machine})


@pytest.fixture(scope="module", params=[CONFIGURATION, SYMMETRIC], ids=["asymmetric", "symmetric"])
def written(request, tmp_path_factory, export_source):
    folder = tmp_path_factory.mktemp("plan")
    source = source_on(export_source, request.param)
    return folder, source, export_course_plan(folder, source)


def jaws(beam):
    devices = [(d.RTBeamLimitingDeviceType, d.NumberOfLeafJawPairs) for d in beam.BeamLimitingDeviceSequence]
    found = beam.ControlPointSequence[0].BeamLimitingDevicePositionSequence
    return devices, [(p.RTBeamLimitingDeviceType, [float(v) for v in p.LeafJawPositions]) for p in found]


def test_jaws_of_applicator_and_energy_equipment_and_codes(tmp_path, export_source):
    result = export_course_plan(tmp_path, source_on(export_source, CONFIGURATION))
    first, second = dcmread(tmp_path / "rtplan.dcm").BeamSequence
    kinds = [("ASYMX", 1), ("ASYMY", 1)]
    assert jaws(first) == (kinds, [("ASYMX", [-85, 90]), ("ASYMY", [-70, 75])])
    assert jaws(second) == (kinds, [("ASYMX", [-60, 60]), ("ASYMY", [-70, 70])])
    for beam in (first, second):
        assert beam.TreatmentMachineName == "LA3"
        assert (beam.Manufacturer, beam.ManufacturerModelName) == ("Maker of linacs", "Model 7")
        assert beam.DeviceSerialNumber == "0042"
    applicator, block = first.ApplicatorSequence[0], first.BlockSequence[0]
    assert (applicator.ApplicatorID, applicator.ApplicatorType, applicator.AccessoryCode) == (
        "A15",
        "ELECTRON_SQUARE",
        "APP15",
    )
    assert (block.BlockTrayID, block.AccessoryCode) == ("T15", "BLK-7")
    assert block.SourceToBlockTrayDistance == 940
    assert (block.MaterialID, block.BlockThickness) == ("cerrobend", 15)
    assert "AccessoryCode" not in second.ApplicatorSequence[0]
    assert result.findings == ()


def test_jaws_that_only_move_together_are_x_and_y(tmp_path, export_source):
    export_course_plan(tmp_path, source_on(export_source, SYMMETRIC))
    first, second = dcmread(tmp_path / "rtplan.dcm").BeamSequence
    assert jaws(first) == ([("X", 1), ("Y", 1)], [("X", [-90, 90]), ("Y", [-80, 80])])
    assert jaws(second)[1] == [("X", [-100, 100]), ("Y", [-110, 110])]  # as commissioned: 20 x 22 cm
    assert "Manufacturer" not in first
    assert first.BlockSequence[0].SourceToBlockTrayDistance == 950


def test_own_validator_and_reading_back_find_nothing(written):
    folder, source, _result = written
    assert validate_files(sorted(folder.iterdir())) == ()
    compare_plan(folder / "rtplan.dcm", source.plan, source.machines)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (Debian: dicom3tools)")
def test_dciodvfy_finds_nothing(written):
    done = subprocess.run(
        ["dciodvfy", "-new", written[0] / "rtplan.dcm"], capture_output=True, text=True, errors="replace", check=False
    )
    assert [x for x in done.stderr.splitlines() if x.startswith(("Error - ", "Warning - "))] == []
    assert "RTPlan" in done.stderr


def position(ds, which):
    return ds.BeamSequence[0].ControlPointSequence[0].BeamLimitingDevicePositionSequence[which]


def set_on(where, **fields):
    def change(ds):
        for keyword, value in fields.items():
            setattr(where(ds), keyword, value)

    return change


def first_block(ds):
    return ds.BeamSequence[0].BlockSequence[0]


FAULTS = [
    (set_on(first_block, SourceToBlockTrayDistance="1002.5"), "behind the skin"),
    (set_on(first_block, SourceToBlockTrayDistance="50"), "SourceToBlockTrayDistance"),
    (set_on(first_block, BlockThickness="0"), "BlockThickness"),
    (set_on(lambda ds: ds.BeamSequence[0].ApplicatorSequence[0], ApplicatorType="ELECTRON_RECT"), "do not agree"),
    (set_on(lambda ds: ds.BeamSequence[0].ApplicatorSequence[0], ApplicatorID="A" * 17), "longer than 16"),
    (set_on(lambda ds: ds.BeamSequence[0], TreatmentMachineName="A" * 17), "longer than 16"),
    (set_on(lambda ds: ds.BeamSequence[0], Manufacturer=""), "there but empty"),
    (set_on(lambda ds: ds.BeamSequence[0].BeamLimitingDeviceSequence[1], RTBeamLimitingDeviceType="MLCX"), "same kind"),
    (set_on(lambda ds: ds.BeamSequence[0].BeamLimitingDeviceSequence[1], NumberOfLeafJawPairs="2"), "one pair"),
]


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_faults_of_machine_entries_are_found(written, tmp_path, change, message):
    ds = dcmread(written[0] / "rtplan.dcm")
    change(ds)
    ds.save_as(tmp_path / "rtplan.dcm")
    found = validate_files([tmp_path / "rtplan.dcm", written[0] / "rtstruct.dcm"])
    assert any(message in f.sentence for f in found), [f.sentence for f in found]


def test_symmetric_jaws_must_be_symmetric(tmp_path, export_source):
    export_course_plan(tmp_path / "plan", source_on(export_source, SYMMETRIC))
    ds = dcmread(tmp_path / "plan" / "rtplan.dcm")
    position(ds, 0).LeafJawPositions = ["-90", "80"]
    ds.save_as(tmp_path / "rtplan.dcm")
    found = validate_files([tmp_path / "rtplan.dcm", tmp_path / "plan" / "rtstruct.dcm"])
    assert any("symmetric" in f.sentence for f in found)


@pytest.mark.parametrize("fields", [{"LeafJawPositions": ["-84", "90"]}, {"LeafJawPositions": ["-85", "90.1"]}])
def test_jaws_that_do_not_read_back_are_noticed(tmp_path, export_source, fields):
    source = source_on(export_source, CONFIGURATION)
    export_course_plan(tmp_path / "plan", source)
    ds = dcmread(tmp_path / "plan" / "rtplan.dcm")
    set_on(lambda d: position(d, 0), **fields)(ds)
    ds.save_as(tmp_path / "p")
    with pytest.raises(ExportRejected, match="jaw setting"):
        compare_plan(tmp_path / "p", source.plan, source.machines)
