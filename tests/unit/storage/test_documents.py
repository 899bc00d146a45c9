"""Documents hold every domain value exactly, refuse anything else, and know their version."""

from __future__ import annotations

import enum
import math

import attrs
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ert import strictjson
from ert.domain.dose import DoseResult
from ert.domain.image import CtCurvePoint, CtImage
from ert.domain.patient import Course, Patient
from ert.domain.plan import Plan
from ert.errors import BadTag, Refused, SchemaTooNew
from ert.storage import documents
from tests.integration.storage import samples

COURSE = samples.course_of(samples.patient(), samples.image(), samples.structures())


def survived(name, value, **arrays):
    data = documents.write_document(name, documents.to_content(value, omit=arrays))
    return documents.from_content(documents.read_document(name, data), type(value), **arrays)


def types(value):
    """The types of everything inside a value: equality alone takes a text for an enumeration."""
    if attrs.has(type(value)):
        return (type(value), {a.name: types(getattr(value, a.name)) for a in attrs.fields(type(value))})
    if isinstance(value, tuple):
        return (tuple, [types(item) for item in value])
    return type(value)


@pytest.mark.parametrize(
    ("name", "value", "array"),
    [
        ("patient", samples.patient(), None),
        ("patient", Patient(medical_record_number="1", family_name=""), None),
        ("course", COURSE, None),
        ("plan", samples.plan_of(COURSE), None),
        ("ct_image", samples.image(), "hu"),
        ("dose", samples.dose(), "gy_per_mu"),
    ],
)
def test_domain_values_come_back_the_same(name, value, array):
    back = survived(name, value, **({array: getattr(value, array)} if array else {}))
    assert back == value
    assert types(back) == types(value)
    if hasattr(value, "digest"):
        assert back.digest == value.digest


def test_plans_of_version_1_keep_their_digest(monkeypatch):
    plan = samples.plan_of(COURSE)
    content = documents.to_content(plan)
    assert content.pop("uncertainty_pct") == 2.0
    for beam in content["beams"]:
        assert beam.pop("machine_digest") == ""
    monkeypatch.setitem(documents.VERSIONS, "plan", 1)
    old = documents.write_document("plan", content)
    monkeypatch.undo()
    back = documents.from_content(documents.read_document("plan", old), Plan)
    assert back == plan
    assert back.digest == plan.digest
    recorded = attrs.evolve(plan, beams=tuple(attrs.evolve(b, machine_digest="ab" * 32) for b in plan.beams))
    assert recorded.digest != plan.digest
    assert survived("plan", recorded) == recorded


def test_enumerations_stay_enumerations():
    plan = survived("plan", samples.plan_of(COURSE))
    found = [plan.prescription.normalisation, plan.dose_to, plan.algorithm, plan.beams[0].aperture.source]
    assert all(isinstance(value, enum.Enum) for value in found)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(number):
    point = CtCurvePoint(hu=number, density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0)
    back = documents.from_content(strictjson.load(strictjson.dump(documents.to_content(point))), CtCurvePoint)
    assert back.hu.hex() == number.hex()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_refused_both_ways(number):
    with pytest.raises(Refused):
        documents.write_document("patient", {"x": [number]})
    text = f'{{"document":"patient","version":1,"content":{{"x":{number!r}}}}}'.replace("inf", "Infinity")
    text = text.replace("nan", "NaN")
    with pytest.raises(BadTag):
        documents.read_document("patient", zstandard.ZstdCompressor().compress(text.encode()))


def content_of_patient(**changes):
    content = documents.to_content(samples.patient()) | changes
    return {k: v for k, v in content.items() if v is not ...}


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": 1}, {"suffix": ...}, {"id": ...}, {"family_name": 5}, {"family_name": None}, {"birth_date": 5},
        {"birth_date": "29.2.1948"}, {"birth_date": "1948-02-30"}, {"sex": "X"}, {"sex": 1},
        {"medical_record_number": " "},
    ],
)  # fmt: skip
def test_other_fields_and_types_are_refused(changes):
    with pytest.raises(BadTag):
        documents.from_content(content_of_patient(**changes), Patient)


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan["beams"][0].pop("mu"),
        lambda plan: plan["beams"][0].update(mu="100"),
        lambda plan: plan["beams"][0].update(mu=True),
        lambda plan: plan["beams"][0].update(number=1.0),
        lambda plan: plan["beams"][0].update(isocentre_cm=[0.0, 0.0]),
        lambda plan: plan["beams"][0].update(isocentre_cm=[0.0, 0.0, 0.0, 0.0]),
        lambda plan: plan["beams"][0].update(wedge=15),
        lambda plan: plan["beams"][0]["aperture"].update(source="GUESSED"),
        lambda plan: plan["prescription"].update(fractions=0),
        lambda plan: plan["dose_grid"].pop("spacing_cm"),
        lambda plan: plan.update(beams={}),
        lambda plan: plan.update(algorithm="magic"),
    ],
)
def test_a_plan_with_anything_else_inside_is_refused(change):
    content = strictjson.load(strictjson.dump(documents.to_content(samples.plan_of(COURSE))))
    documents.from_content(content, Plan)
    change(content)
    with pytest.raises(BadTag):
        documents.from_content(content, Plan)


def pack(outer) -> bytes:
    return zstandard.ZstdCompressor().compress(strictjson.dump(outer))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x", pack([]), pack({}), pack({"document": "course", "version": 1, "content": {}}),
        pack({"document": "patient", "version": 1, "content": []}),
        pack({"document": "patient", "version": "1", "content": {}}),
        pack({"document": "patient", "version": 0, "content": {}}),
        pack({"document": "patient", "version": True, "content": {}}),
        pack({"document": "patient", "version": 1, "content": {}, "more": 1}),
        zstandard.ZstdCompressor().compress(b'{"document":"patient","document":"patient","version":1,"content":{}}'),
        zstandard.ZstdCompressor().compress(b"[" * 100_000),
        zstandard.ZstdCompressor().compress(bytes(documents.MAXIMUM_DOCUMENT_BYTES + 1)),
        pack({"document": "patient", "version": 1, "content": {}}) + b"x",
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused(data):
    with pytest.raises(BadTag):
        documents.read_document("patient", data)


def test_a_newer_document_is_refused_with_a_sentence():
    with pytest.raises(SchemaTooNew, match="newer version"):
        documents.read_document(
            "patient", pack({"document": "patient", "version": documents.VERSIONS["patient"] + 1, "content": {}})
        )


def test_an_older_document_is_brought_up_step_by_step():
    upgrades = {
        ("patient", 1): lambda content: content | {"second": content["first"] + 1},
        ("patient", 2): lambda content: content | {"third": content["second"] + 1},
    }
    data = pack({"document": "patient", "version": 1, "content": {"first": 1}})
    found = documents.read_document("patient", data, versions={"patient": 3}, upgrades=upgrades)
    assert found == {"first": 1, "second": 2, "third": 3}


def test_arrays_cannot_slip_into_a_document():
    with pytest.raises(TypeError):
        documents.write_document("ct_image", documents.to_content(samples.image()))
    with pytest.raises(BadTag):
        documents.from_content(documents.to_content(samples.dose(), omit=["gy_per_mu"]), DoseResult)
    with pytest.raises(BadTag):
        documents.from_content(documents.to_content(samples.image(), omit=["hu"]), CtImage)
    assert survived("course", COURSE) == attrs.evolve(COURSE)
    assert isinstance(COURSE, Course)
