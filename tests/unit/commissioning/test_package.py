"""A machine package is read whole and unchanged, or refused."""

import json

import attrs
import pytest

from ert.commissioning.package import FILE_NAME, FORMAT, package_bytes, package_from_bytes, read_package, write_package
from ert.domain.beam_model import MeasuredRange
from ert.domain.identity import canonical_bytes
from ert.errors import DigestMismatch, InvalidBeamData, SchemaTooNew
from ert.settings import resources_dir


@pytest.fixture(scope="module")
def package():
    return read_package(resources_dir() / "demo_machine" / "package")


def test_what_is_written_is_read_back_with_its_digest(package, tmp_path):
    write_package(tmp_path / "made", package)
    again = read_package(tmp_path / "made")
    assert again.digest == package.digest
    assert [m.digest for m in again.models] == [m.digest for m in package.models]
    assert package_bytes(again) == package_bytes(package) == (tmp_path / "made" / FILE_NAME).read_bytes()


@pytest.mark.parametrize("name", ["virtual_sad_cm", "reference_gy_per_mu", "ssd_slope_per_cm", "practical_range_cm"])
def test_one_changed_number_is_noticed(package, name):
    tree = json.loads(package_bytes(package))

    def change(node):
        for key, value in node.items():
            if key == name:
                node[key] = value * 1.0001 + 1e-6
                return True
            if isinstance(value, dict) and change(value):
                return True
        return False

    assert change(tree["package"]["models"][0])
    with pytest.raises(DigestMismatch, match="changed after it was written"):
        package_from_bytes(json.dumps(tree).encode())


def test_every_value_of_a_model_is_in_its_digest(package):
    model = package.models[0]
    table = model.electron_gy_per_mu.copy()
    table[3] += 1e-12
    others = [
        attrs.evolve(model, electron_gy_per_mu=table),
        attrs.evolve(model, validity=attrs.evolve(model.validity, ssd_max_cm=200.0)),
        attrs.evolve(model, is_demo=not model.is_demo),
        attrs.evolve(model, redefinition=None),
        attrs.evolve(model, redefinition=attrs.evolve(model.redefinition, edge_per_cm=0.0)),
        attrs.evolve(model, monte_carlo=None),
    ]
    assert len({model.digest, *(m.digest for m in others)}) == 7


def test_a_package_of_format_1_is_read_and_keeps_its_digest(package):
    """Written before the redefinition engine: no model has its part, and plans refer to their models by digest."""
    models = tuple(attrs.evolve(m, redefinition=None) for m in package.models)
    old = attrs.evolve(package, models=models)
    tree = json.loads(package_bytes(old))
    tree["format"] = 1
    for model in tree["package"]["models"]:
        assert model.pop("redefinition") is None
    again = package_from_bytes(json.dumps(tree).encode())
    assert again.digest == old.digest
    assert all(m.redefinition is None for m in again.models)


def test_a_model_without_a_monte_carlo_source_is_named_as_before_there_was_one(package):
    """Packages of format 1 keep their digests: a field that is None and named only if set is not part of them."""
    without = attrs.evolve(package.models[0], monte_carlo=None)
    assert b'"monte_carlo"' not in canonical_bytes(without)
    assert b'"monte_carlo"' in canonical_bytes(package.models[0])


def test_newer_incomplete_and_foreign_files_are_refused(package):
    tree = json.loads(package_bytes(package))
    with pytest.raises(SchemaTooNew):
        package_from_bytes(json.dumps({**tree, "format": FORMAT + 1}).encode())
    del tree["package"]["models"][0]["source"]["virtual_sad_cm"]
    with pytest.raises(InvalidBeamData, match="damaged or incomplete"):
        package_from_bytes(json.dumps(tree).encode())
    for content in (b"{}", b"no json", b"\xff"):
        with pytest.raises(InvalidBeamData):
            package_from_bytes(content)


def test_a_package_of_format_1_is_read_with_its_own_digest(package):
    configured = package.machine.configuration
    plain = attrs.evolve(package, machine=attrs.evolve(package.machine, configuration=type(configured)()))
    tree = json.loads(package_bytes(plain))
    del tree["package"]["machine"]["configuration"]
    old = json.dumps({**tree, "format": 1}).encode()
    assert b"configuration" not in canonical_bytes(plain)  # so that its digest is that of format 1
    read = package_from_bytes(old)
    assert read.digest == tree["digest"]
    assert read.machine.configuration == type(configured)()
    assert [m.digest for m in read.models] == [m.digest for m in package.models]


@pytest.mark.parametrize("change", [{"couch": {"from_deg": -90.0, "to_deg": 90.0}}, {"max_mu": 998.0}, {"jaws": []}])
def test_a_changed_configuration_is_noticed(package, change):
    tree = json.loads(package_bytes(package))
    tree["package"]["machine"]["configuration"].update(change)
    with pytest.raises(DigestMismatch, match="changed after it was written"):
        package_from_bytes(json.dumps(tree).encode())


def test_a_package_is_never_overwritten(package, tmp_path):
    write_package(tmp_path / "made", package)
    with pytest.raises(InvalidBeamData, match="exists already"):
        write_package(tmp_path / "made", package)


def test_an_off_axis_ratio_of_redefinitions_own_is_named_only_if_there_is_one(package):
    """Packages of format 6 keep their digests."""
    plain, own = (attrs.evolve(package.models[0].redefinition, off_axis_change=change) for change in (0.0, 0.01))
    assert b'"off_axis_change"' not in canonical_bytes(plain)
    assert b'"off_axis_change"' in canonical_bytes(own)
    model = attrs.evolve(package.models[0], redefinition=own)
    changed = attrs.evolve(package, models=(model, *package.models[1:]))
    assert package_from_bytes(package_bytes(changed)).models[0].redefinition.off_axis_change == 0.01


def test_slow_electrons_are_in_the_digest_only_if_they_are_known(package):
    """Packages of format 8 keep their digests, and are read."""
    source = package.models[0].monte_carlo
    plain, known = (attrs.evolve(source, slow_below_mev=e, slow_angle_rad=a) for e, a in ((0.0, 0.0), (4.5, 0.15)))
    assert b'"slow' not in canonical_bytes(plain)
    assert b'"slow_below_mev"' in canonical_bytes(known)
    old = attrs.evolve(package, models=(attrs.evolve(package.models[0], monte_carlo=plain), *package.models[1:]))
    tree = json.loads(package_bytes(old))
    for name in ("slow_below_mev", "slow_angle_rad"):
        assert tree["package"]["models"][0]["monte_carlo"].pop(name) == 0.0
    read = package_from_bytes(json.dumps({**tree, "format": 8}).encode())
    assert (read.digest, read.models[0].monte_carlo.slow_below_mev) == (old.digest, 0.0)
    new = attrs.evolve(package, models=(attrs.evolve(package.models[0], monte_carlo=known), *package.models[1:]))
    assert package_from_bytes(package_bytes(new)).models[0].monte_carlo.slow_angle_rad == 0.15


def test_measured_depths_and_incidence_are_in_the_digest_only_if_they_are_known(package):
    """Packages of format 7 keep their digests, and are read."""
    model = package.models[0]
    measured = MeasuredRange(depth_min_cm=0.1, depth_max_cm=6.9, incidence_max_deg=0.0)
    plain, known = (attrs.evolve(model, validity=attrs.evolve(model.validity, measured=m)) for m in (None, measured))
    assert b'"measured"' not in canonical_bytes(plain)
    assert b'"measured"' in canonical_bytes(known)
    old = attrs.evolve(package, models=(plain, *package.models[1:]))
    tree = json.loads(package_bytes(old))
    del tree["package"]["models"][0]["validity"]["measured"]
    read = package_from_bytes(json.dumps({**tree, "format": 7}).encode())
    assert (read.digest, read.models[0].validity.measured) == (old.digest, None)
    new = attrs.evolve(package, models=(known, *package.models[1:]))
    tree = json.loads(package_bytes(new))
    assert package_from_bytes(package_bytes(new)).models[0].validity.measured == measured
    tree["package"]["models"][0]["validity"]["measured"]["incidence_max_deg"] = 45.0
    with pytest.raises(DigestMismatch):
        package_from_bytes(json.dumps(tree).encode())
