"""RT Plans of other systems: values are read as they stand, beams that cannot be represented are refused by name."""

from __future__ import annotations

import copy

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTPlanStorage

from ert.dicom.plan import read_rt_plan
from ert.dicom.plan_beam import size_in_name_cm
from ert.errors import ImportRejected


def item(**attributes):
    ds = Dataset()
    for name, value in attributes.items():
        setattr(ds, name, value)
    return ds


def jaws(kind, low, high):
    return item(RTBeamLimitingDeviceType=kind, LeafJawPositions=[str(low), str(high)])


def make_plan():
    """One 9 MeV beam with a closed cutout, as another system might write it."""
    first = item(
        ControlPointIndex="0",
        NominalBeamEnergy="9",
        GantryAngle="330.5",
        GantryRotationDirection="NONE",
        BeamLimitingDeviceAngle="90",
        PatientSupportAngle="15",
        TableTopEccentricAngle="0",
        IsocenterPosition=["-10", "20.5", "300"],
        SourceToSurfaceDistance="1001",
        CumulativeMetersetWeight="0",
        BeamLimitingDevicePositionSequence=[jaws("X", -100, 90), jaws("ASYMY", -70, 80)],
    )
    block = item(
        BlockType="APERTURE",
        BlockDivergence="PRESENT",
        MaterialID="Cerrobend",
        BlockThickness="15",
        SourceToBlockTrayDistance="950",
        BlockNumberOfPoints="5",
        BlockData=["-30", "-40", "30", "-40", "35", "40", "-30", "40", "-30", "-40"],
    )
    beam = item(
        BeamNumber="2",
        BeamName="LAO",
        BeamType="STATIC",
        RadiationType="ELECTRON",
        TreatmentDeliveryType="TREATMENT",
        TreatmentMachineName="LINAC1",
        PrimaryDosimeterUnit="MU",
        SourceAxisDistance="1000",
        NumberOfWedges="0",
        NumberOfBlocks="1",
        NumberOfBoli="1",
        BlockSequence=[block],
        ReferencedBolusSequence=[item(ReferencedROINumber="17")],
        ApplicatorSequence=[item(ApplicatorID="A10", ApplicatorType="ELECTRON_SQUARE", AccessoryCode="4002")],
        NumberOfControlPoints="2",
        ControlPointSequence=[first, item(ControlPointIndex="1", CumulativeMetersetWeight="1")],
        ReferencedPatientSetupNumber="1",
    )
    plan = item(
        SOPClassUID=RTPlanStorage,
        SOPInstanceUID="1.5.1",
        PatientID="P1",
        FrameOfReferenceUID="1.2.3.3",
        RTPlanLabel="P",
        DoseReferenceSequence=[item(TargetPrescriptionDose="50")],
        FractionGroupSequence=[
            item(
                NumberOfFractionsPlanned="25",
                ReferencedBeamSequence=[item(ReferencedBeamNumber="2", BeamMeterset="212.5")],
            )
        ],
        BeamSequence=[beam],
        PatientSetupSequence=[item(PatientSetupNumber="1", PatientPosition="FFS")],
        ReferencedStructureSetSequence=[item(ReferencedSOPInstanceUID="1.7.1")],
    )
    plan.file_meta = FileMetaDataset()
    plan.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return plan


def read(plan, tmp_path):
    plan.save_as(tmp_path / "p", enforce_file_format=True)
    return read_rt_plan(tmp_path / "p")


def test_values_are_read_as_they_stand(tmp_path):
    plan = read(make_plan(), tmp_path)
    (beam,) = plan.usable_beams()
    assert (plan.fractions, plan.prescription_gy, plan.patient_position) == (25, 50.0, "FFS")
    assert (plan.structure_set_uid, plan.frame_of_reference_uid) == ("1.7.1", "1.2.3.3")
    assert (beam.number, beam.name, beam.machine_name, beam.energy_mev) == (2, "LAO", "LINAC1", 9.0)
    assert (beam.gantry_deg, beam.collimator_deg, beam.couch_deg) == (330.5, 90.0, 15.0)
    assert beam.isocentre_cm == (-1.0, 2.05, 30.0)
    assert (beam.sad_cm, beam.ssd_cm, beam.mu, beam.fractions) == (100.0, 100.1, 212.5, 25)
    assert beam.jaws_cm == (-10.0, 9.0, -7.0, 8.0)
    assert (beam.applicator_id, beam.applicator_accessory_code, beam.applicator_size_cm) == (
        "A10",
        "4002",
        (10.0, 10.0),
    )
    assert beam.block.outline_cm == ((-3.0, -4.0), (3.0, -4.0), (3.5, 4.0), (-3.0, 4.0))  # the closing point is gone
    assert (beam.block.is_divergent, beam.block.thickness_cm, beam.block.tray_distance_cm) == (True, 1.5, 95.0)
    assert beam.bolus_numbers == (17,)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("10X10", (10, 10)),
        ("A15", (15, 15)),
        ("Appl. 6", (6, 6)),
        ("Tubus 10x10", (10, 10)),
        ("6x6", (6, 6)),
        ("14 x 8 cm", (14, 8)),
        ("6,5×10", (6.5, 10)),
        ("100x150", (10, 15)),
        ("A06", (6, 6)),
        ("250", (25, 25)),
        ("Cone", None),
        ("Linac 2 A15", None),
        ("0", None),
    ],
)
def test_the_size_in_an_applicators_name(name, size):
    assert size_in_name_cm(name) == size


def test_stated_geometry_beats_the_name(tmp_path):
    plan = make_plan()
    applicator = plan.BeamSequence[0].ApplicatorSequence[0]
    applicator.ApplicatorGeometrySequence = [item(ApplicatorOpeningX=60.0, ApplicatorOpeningY=100.0)]
    assert read(plan, tmp_path).beams[0].applicator_size_cm == (6.0, 10.0)


def changed_point(**attributes):
    def change(beam):
        for name, value in attributes.items():
            setattr(beam.ControlPointSequence[0], name, value)

    return change


def changed_last(**attributes):
    def change(beam):
        for name, value in attributes.items():
            setattr(beam.ControlPointSequence[1], name, value)

    return change


def changed_beam(**attributes):
    def change(beam):
        for name, value in attributes.items():
            setattr(beam, name, value)

    return change


def changed_block(**attributes):
    def change(beam):
        for name, value in attributes.items():
            setattr(beam.BlockSequence[0], name, value)

    return change


def two_blocks(beam):
    beam.BlockSequence = [beam.BlockSequence[0], copy.deepcopy(beam.BlockSequence[0])]
    beam.NumberOfBlocks = "2"


def two_applicators(beam):
    beam.ApplicatorSequence = [beam.ApplicatorSequence[0], copy.deepcopy(beam.ApplicatorSequence[0])]


def no_points(beam):
    beam.ControlPointSequence, beam.NumberOfControlPoints = [], "0"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed_beam(BeamType="DYNAMIC"), "dynamic"),
        (changed_point(GantryRotationDirection="CW"), "rotates"),
        (changed_last(GantryAngle="340"), "GantryAngle changes"),
        (changed_last(NominalBeamEnergy="12"), "NominalBeamEnergy changes"),
        (changed_last(IsocenterPosition=["-10", "20.5", "301"]), "isocentre changes"),
        (changed_point(TableTopEccentricAngle="10"), "eccentrically by 10°"),
        (changed_point(TableTopPitchAngle=2.0), "pitched by 2°"),
        (changed_point(TableTopRollAngle=358.0), "rolled by 358°"),
        (changed_beam(NumberOfWedges="1"), "a wedge"),
        (changed_beam(NumberOfCompensators="1"), "a compensator"),
        (changed_beam(NumberOfBlocks="2"), "1 blocks where 2"),
        (two_blocks, "2 blocks"),
        (two_applicators, "2 applicators"),
        (changed_block(BlockType="SHIELDING"), "SHIELDING"),
        (changed_block(BlockNumberOfPoints="6"), "5 points where 6"),
        (changed_beam(NumberOfBoli="2"), "bolus that the plan does not describe"),
        (changed_beam(PrimaryDosimeterUnit="MINUTE"), "MINUTE"),
        (changed_beam(SourceAxisDistance=None), "no source to axis distance"),
        (changed_point(IsocenterPosition=None), "no isocentre"),
        (changed_point(NominalBeamEnergy=None), "NominalBeamEnergy is missing"),
        (changed_point(NominalBeamEnergy="0"), "0 MeV"),
        (changed_point(GantryAngle=None), "GantryAngle is missing"),
        (changed_beam(NumberOfControlPoints="3"), "2 control points where 3"),
        (no_points, "no control points"),
        (changed_beam(ReferencedPatientSetupNumber="4"), "patient setup 4"),
    ],
)
def test_beams_that_cannot_be_represented_are_refused_by_name(tmp_path, change, reason):
    plan = make_plan()
    change(plan.BeamSequence[0])
    found = read(plan, tmp_path)
    assert found.beams == ()
    assert reason in found.refused[0].sentence
    assert found.refused[0].sentence.startswith("Beam 'LAO': ")
    with pytest.raises(ImportRejected, match="LAO"):
        found.usable_beams()


def test_a_table_turned_by_a_full_circle_is_level(tmp_path):
    plan = make_plan()
    plan.BeamSequence[0].ControlPointSequence[0].TableTopEccentricAngle = "360"
    assert len(read(plan, tmp_path).usable_beams()) == 1


def test_photons_are_left_out_with_a_warning_and_electrons_are_read(tmp_path):
    plan = make_plan()
    photon = copy.deepcopy(plan.BeamSequence[0])
    photon.BeamNumber, photon.BeamName, photon.RadiationType = "3", "X6", "PHOTON"
    setup = copy.deepcopy(plan.BeamSequence[0])
    setup.BeamNumber, setup.BeamName, setup.TreatmentDeliveryType = "4", "kV", "SETUP"
    plan.BeamSequence.extend([photon, setup])
    found = read(plan, tmp_path)
    assert [b.name for b in found.usable_beams()] == ["LAO"]
    assert [b.name for b in found.left_out] == ["X6", "kV"]
    assert [f.severity.value for f in found.findings] == ["warning", "warning"]


def test_a_plan_of_photons_only_has_no_usable_beam(tmp_path):
    plan = make_plan()
    plan.BeamSequence[0].RadiationType = "PHOTON"
    with pytest.raises(ImportRejected, match="no electron beam"):
        read(plan, tmp_path).usable_beams()


def test_an_open_applicator_has_no_block_and_missing_values_stay_missing(tmp_path):
    plan = make_plan()
    beam = plan.BeamSequence[0]
    del beam.BlockSequence, beam.ControlPointSequence[0].SourceToSurfaceDistance
    beam.NumberOfBlocks = "0"
    del plan.FractionGroupSequence, plan.PatientSetupSequence, beam.ReferencedPatientSetupNumber
    (found,) = read(plan, tmp_path).usable_beams()
    assert (found.block, found.ssd_cm, found.mu, found.fractions, found.patient_position) == (
        None,
        None,
        None,
        None,
        "",
    )


def test_two_beams_with_one_number_are_refused(tmp_path):
    plan = make_plan()
    plan.BeamSequence.append(copy.deepcopy(plan.BeamSequence[0]))
    with pytest.raises(ImportRejected, match="same number"):
        read(plan, tmp_path)


def test_a_beam_in_two_fraction_groups_is_refused(tmp_path):
    plan = make_plan()
    plan.FractionGroupSequence.append(copy.deepcopy(plan.FractionGroupSequence[0]))
    assert "several fraction groups" in read(plan, tmp_path).refused[0].sentence


def test_a_meterset_of_zero_is_refused(tmp_path):
    plan = make_plan()
    plan.FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset = "0"
    assert "0 MU" in read(plan, tmp_path).refused[0].sentence


def test_another_object_is_refused(demo_files):
    with pytest.raises(ImportRejected, match="no RT Plan"):
        read_rt_plan(demo_files[-1])
