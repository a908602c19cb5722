# SPDX-License-Identifier: GPL-2.0-only
"""What is read, and what is refused with one sentence."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.comparison.compare import compare
from profiler.comparison.documents import ProfileDocument
from profiler.comparison.loading import load
from profiler.comparison.runs import Series
from profiler.errors import Exit, UserError
from profiler.reports import json as reports_json
from tests.unit import compared, samples
from tests.unit.compared import Document, grid, mainline, reads, ungated, written
from tests.unit.test_reports_json import validator

SERIES = grid("lab", ungated, repetitions=2)


def refusal(action: Callable[[], object]) -> UserError:
    with pytest.raises(UserError) as caught:
        action()
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 600
    return caught.value


@pytest.mark.parametrize("name", samples.ALL)
def test_a_profile_is_read_as_it_was_counted(tmp_path: Path, name: str) -> None:
    profile = samples.ALL[name]()
    path = tmp_path / "p.json"
    path.write_text(reports_json.render(profile))
    side = load(str(path))
    (run,) = side.cells[()]
    assert run.lost_of(None) >= run.lost == profile.total.lost
    for family, slots in profile.total.slots.items():
        if family in ("missed", "recent"):
            continue
        for labels, slot in slots.items():
            pages = family != "fault_around_run" or name != "by_tracepoints"
            assert run.total.slots[family][labels] == slot or not pages


def test_a_series_is_read_as_it_was_written() -> None:
    data = json.loads(json.dumps(SERIES.to_json()))
    validator("runs").validate(data)
    assert Series.from_json(data) == SERIES
    assert Series.from_json(data).to_json() == data


def test_each_profile_of_a_series_follows_its_schema() -> None:
    for run in SERIES.runs:
        validator("profile").validate(run.profile)


def test_clock_of_a_profile_is_hardware_unless_it_says_otherwise(tmp_path: Path) -> None:
    document = compared.document(reads("wp", 9, (900,)))
    document.pop("clock", None)
    assert load(written(tmp_path, "a", document)).clock == "hardware"
    document["clock"] = "instructions"
    assert load(written(tmp_path, "b", document)).clock == "instructions"


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    error = refusal(lambda: load(str(tmp_path / "none.json")))
    assert error.code == Exit.USAGE
    assert "No such file" in str(error)
    assert refusal(lambda: load(str(tmp_path))).code == Exit.USAGE
    assert refusal(lambda: load("a\0b")).code == Exit.USAGE


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"NaN", "not JSON"),
        (b"[]", "no document of uffd-profiler"),
        (b'{"schema": 3}', "no document of uffd-profiler"),
        (b'{"schema": "uffd-profiler/profile/999"}', "'uffd-profiler/profile/999'"),
        (b'{"schema": "uffd-profiler/check/2"}', "'uffd-profiler/check/2'"),
        (b'{"schema": "uffd-profiler/profile/2"}', "version"),
        (b'{"schema": "uffd-profiler/runs/1"}', "version"),
    ],
)
def test_what_is_no_document_is_wrong_usage(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    error = refusal(lambda: load(str(path)))
    assert error.code == Exit.USAGE
    assert word in str(error)
    assert str(path) in str(error)


def _set(*path: str | int, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


FAULT = ("families", "read_fault", 0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (_set("duration_ns", value=-1), "duration_ns"),
        (_set("duration_ns", value=True), "duration_ns"),
        (_set("duration_ns", value=1.5), "duration_ns"),
        (_set("clock", value="sundial"), "clock"),
        (_set("surprise", value=1), "surprise"),
        (_set("kernel", "release", value=None), "kernel.release"),
        (_set("plan", 0, "way", value="magic"), "plan.0.way"),
        (_set("families", "surprise", value=[]), "surprise"),
        (_set("families", "read_fault", value=[3]), "families.read_fault"),
        (_set(*FAULT, "count", value="9"), "count"),
        (_set(*FAULT, "count", value=10), "add up"),
        (_set(*FAULT, "count", value=1 << 64), "count"),
        (_set(*FAULT, "uffd_mode", value="sideways"), "uffd_mode"),
        (_set(*FAULT, "buckets", 0, "le_ns", value=126), "boundaries"),
        (_set(*FAULT, "buckets", 5, "count", value=1), "add up"),
        (_set(*FAULT, "buckets", value=[]), "boundaries"),
        (_set("missed", "causes", "surprise", value=1), "surprise"),
    ],
)
def test_a_profile_with_something_wrong_in_it_names_it(
    tmp_path: Path, change: Callable[[Document], None], word: str
) -> None:
    document = compared.document(reads("wp", 9, (900,)))
    change(document)
    error = refusal(lambda: load(written(tmp_path, "x", document)))
    assert error.code == Exit.USAGE
    assert word in str(error)


def test_a_label_set_that_comes_twice_is_refused(tmp_path: Path) -> None:
    document = compared.document(reads("wp", 9, (900,)))
    document["families"]["read_fault"] *= 2
    assert "twice" in str(refusal(lambda: load(written(tmp_path, "x", document))))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (_set("runs", value=[]), "runs"),
        (_set("runs", 1, "touched_pages", value=0), "touched no page"),
        (_set("runs", 1, "profile", "kernel", "release", value="9.9"), "another kernel"),
        (_set("runs", 1, "profile", "plan", 0, "way", value="kprobe"), "other ways"),
        (_set("runs", 1, "profile", "clock", value="emulated"), "another clock"),
        (_set("runs", 1, "workload", value={"x": [1]}), "runs.1.workload"),
    ],
)
def test_a_series_that_does_not_hold_together_is_refused(
    tmp_path: Path, change: Callable[[Document], None], word: str
) -> None:
    data: Any = json.loads(json.dumps(SERIES.to_json()))
    change(data)
    assert word in str(refusal(lambda: load(written(tmp_path, "x", data))))


BASE = compared.document(reads("wp", 9, (900,)))
Json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, item in inner for found in _places(item, (*path, key))]


PLACES = _places(BASE)


@given(st.sampled_from(PLACES), Json)
@settings(max_examples=60, deadline=None)
def test_no_change_of_a_document_ends_in_anything_but_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, path: tuple[str | int, ...], value: Any
) -> None:
    document = deepcopy(BASE)
    _set(*path, value=value)(document)
    name = written(tmp_path_factory.getbasetemp(), "fuzzed", document)
    try:
        compare(load(name), load(written(tmp_path_factory.getbasetemp(), "base", BASE)))
    except UserError as error:
        assert str(error).endswith(".")


def test_what_the_schema_forbids_of_what_is_read_is_refused(tmp_path: Path) -> None:
    """The two descriptions of a profile agree on what is missing."""
    for field in validator("profile").schema["required"]:  # type: ignore[index]
        document = deepcopy(BASE)
        del document[field]
        with pytest.raises(jsonschema.ValidationError):
            validator("profile").validate(document)
        if field != "clock":
            refusal(lambda document=document: load(written(tmp_path, "x", document)))  # type: ignore[misc]


def test_the_shape_that_is_read_has_the_fields_of_the_schema() -> None:
    properties = set(validator("profile").schema["properties"])  # type: ignore[index]
    assert properties == set(ProfileDocument.__annotations__)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (BASE, SERIES, "is a series of runs and"),
        (
            BASE,
            compared.document({}, command=("./other",)),
            "of the command `./restore vm.img` and the other",
        ),
        (BASE, compared.document({}, command=None), "of the whole machine"),
        (
            compared.document({}, command=None, pids=(3,)),
            compared.document({}, command=None),
            "some processes",
        ),
        (BASE, BASE | {"clock": "instructions"}, "real time and the other instructions of the guest"),
        (BASE, BASE | {"kernel": BASE["kernel"] | {"machine": "arm64"}}, "x86_64 and the other of arm64"),
        (
            BASE,
            compared.document({}, samples.tracepoint_plan()),
            "taken by fentry before and by tracepoint after",
        ),
        (
            SERIES,
            grid("b", mainline, modes=("wp+minor",), repetitions=1),
            "no workload was run on both sides",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(
    tmp_path: Path, before: Document | Series, after: Document | Series, word: str
) -> None:
    error = refusal(lambda: compared.compared(tmp_path, before, after))
    assert error.code == Exit.CANNOT_TELL
    assert word in str(error)


def test_what_may_be_what_is_compared_is_a_note(tmp_path: Path) -> None:
    changes = {"fault_around_bytes": 4096, "release": "7.2", "uffd_wp_entry": "migration-pfn-0"}
    after = BASE | {"kernel": BASE["kernel"] | changes, "version": "9"}
    after["scope"] = BASE["scope"] | {"command": BASE["scope"]["command"] | {"exit_code": 3}}
    notes = "\n".join(compared.compared(tmp_path, BASE, after).notes)
    assert "fault_around_bytes differs: 65536 before, 4096 after." in notes
    assert "--uffd-wp-entry differs: none before, migration-pfn-0 after;" in notes
    assert "ended with exit code 0 before and ended with exit code 3 after" in notes
    assert "different versions" in notes


@pytest.mark.parametrize(("clock", "word"), [("emulated", "ns under emulation"), ("instructions", "(insn)")])
def test_a_clock_that_is_not_time_is_noted(tmp_path: Path, clock: str, word: str) -> None:
    document = BASE | {"clock": clock}
    assert any(word in note for note in compared.compared(tmp_path, document, document).notes)


def test_workloads_of_one_side_alone_are_kept_as_not_comparable(tmp_path: Path) -> None:
    before, after = grid("a", ungated, ("none", "wp"), 2), grid("b", mainline, ("wp", "minor"), 2)
    found = compared.compared(tmp_path, before, after)
    assert [dict(cell)["mode"] for cell in found.only_before] == ["none"]
    assert [dict(cell)["mode"] for cell in found.only_after] == ["minor"]
    assert {group.mode for group in found.cells} == {"wp"}
