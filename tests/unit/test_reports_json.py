# SPDX-License-Identifier: GPL-2.0-only
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from profiler import slots
from profiler.hooks.catalogue import WAYS
from profiler.reports import json as reports_json
from profiler.verdict import POLICIES, compare, judge
from tests.unit import samples


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads(files("profiler.reports").joinpath(f"schema/{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", samples.ALL)
def test_output_follows_the_schema_and_is_the_document(name: str) -> None:
    profile = samples.ALL[name]()
    text = reports_json.render(profile)
    assert json.loads(text) == reports_json.document(profile)
    assert text.isascii()
    validator("profile").validate(json.loads(text))


def objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in objects(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if "properties" in schema and isinstance(schema["properties"], dict) else []
    return own + [found for item in schema.values() for found in objects(item)]


@pytest.mark.parametrize("name", ["profile", "check"])
def test_schema_is_closed_and_complete(name: str) -> None:
    for schema in objects(validator(name).schema):
        if "type" in schema:
            assert schema["additionalProperties"] is False
            assert sorted(schema["required"]) == sorted(schema["properties"])


def test_enumerations_are_those_of_the_slots() -> None:
    definitions: Any = validator("profile").schema["$defs"]  # type: ignore[index]
    for name, values in {
        "mode": slots.MODES,
        "origin": slots.ORIGINS,
        "outcome": slots.OUTCOMES,
        "reason": slots.REASONS,
        "result": slots.RESULTS,
        "swap_kind": slots.SWAP_KINDS,
        "uffd_wp": slots.UFFD_WP,
        "swap_result": slots.SWAP_RESULTS,
        "shmem_swapin_result": slots.SHMEM_SWAPIN_RESULTS,
        "swap_reader": slots.SWAP_READERS,
        "resolve_op": slots.RESOLVE_OPS,
        "resolve_result": slots.RESOLVE_RESULTS,
        "backing": slots.BACKINGS,
        "read_backing": slots.READ_BACKINGS,
    }.items():
        assert tuple(definitions[name]["enum"]) == values
    assert tuple(definitions["hook"]["properties"]["way"]["enum"]) == (*WAYS, "none")
    assert tuple(definitions["missed"]["properties"]["causes"]["properties"]) == slots.MISSED
    families = {n: f for n, f in slots.FAMILIES.items() if n != "missed"}
    assert definitions["families"]["properties"].keys() == families.keys()
    for name, family in families.items():
        properties = list(definitions["families"]["properties"][name]["items"]["properties"])
        assert properties[: len(family.axes) + 1] == [*(axis for axis, _ in family.axes), "count"]


def test_every_name_of_the_schema_is_in_the_documentation() -> None:
    text = Path(__file__).parents[2].joinpath("docs/json.md").read_text()
    skipped = {"schema", "what", "name", "hook", "kind", "target", "program", "mode", "count", "duration_ns"}
    for name in ("profile", "check"):
        for schema in objects(validator(name).schema):
            for field in schema["properties"].keys() - skipped - set(slots.MISSED):
                wanted = field.replace("sum_pages", "_pages")
                assert wanted in text, field


def test_buckets_are_cumulative_and_end_with_every_event() -> None:
    document = reports_json.document(samples.by_fentry())
    for family in document["families"].values():
        for entry in family:
            if "buckets" in entry:
                counts = [bucket["count"] for bucket in entry["buckets"]]
                assert counts == sorted(counts)
                assert counts[-1] == entry["count"]
                assert next(iter(entry["buckets"][-1].values())) == "+Inf"
    above = reports_json.cumulative("userfault", samples.slot("userfault", [10**12, 125]))
    assert above[0] == {"le_ns": 125, "count": 1}
    assert [bucket["count"] for bucket in above[-2:]] == [1, 2]


def test_unavailable_is_null_and_says_why() -> None:
    document = reports_json.document(samples.by_tracepoints())
    assert document["families"]["swap_fault"] is None
    assert document["unavailable"]["swap_fault"] == "not available by tracepoints"
    for run in document["families"]["fault_around_run"]:
        assert run["count"] > 0
        assert run["sum_pages"] is run["max_pages"] is run["buckets"] is None
    assert all(verdict["mapped_pages"] is None for verdict in document["verdicts"])
    bare = reports_json.document(samples.empty())
    assert bare["waiting"] is None
    assert all(verdict["ran"] is verdict["not_run"] is None for verdict in bare["verdicts"])


def test_recent_slow_userfaults_name_their_bucket_and_their_moment() -> None:
    profile = samples.by_fentry()
    document = reports_json.document(profile)
    assert [(r["le_ns"], r["wait_ns"]) for r in document["recent"]] == [
        (2_048_000, 1_024_001),
        (32_768_000, 21 * samples.MS),
        ("+Inf", 17 * samples.SECOND),
    ]
    assert [r["ended_ns"] for r in document["recent"]] == [
        samples.SECOND,
        document["duration_ns"] - 2 * samples.MS,
        document["duration_ns"] - 1,
    ]
    assert (
        document["recent"][2] | {"reason": "wp", "backing": "shmem", "pid": 4300, "tid": 4300}
        == (document["recent"][2])
    )
    assert reports_json.document(samples.empty())["recent"] is None


def test_the_boundary_of_slow_is_in_the_documents() -> None:
    text = Path(__file__).parents[2].joinpath("docs/json.md").read_text()
    slow = f"{slots.time_boundaries_ns()[slots.SLOW_BUCKET - 1] / 1e6:.3f} ms"
    assert f"more than {slow}" in text
    assert slow in validator("profile").schema["$defs"]["recent"]["description"]  # type: ignore[index]


def test_intervals_add_up_to_the_total() -> None:
    document = reports_json.document(samples.by_fentry())
    whole = sum(entry["count"] for entry in document["families"]["page_fault"])
    parts = [e["count"] for i in document["intervals"] for e in i["families"]["page_fault"]]
    assert sum(parts) == whole
    assert document["intervals"][-1]["until_ns"] == document["duration_ns"]


@pytest.mark.parametrize("policy", [None, *POLICIES])
def test_check_document_follows_the_schema(policy: str | None) -> None:
    profile = samples.by_tracepoints()
    verdicts = judge(profile.total, profile.plan, profile.kernel)
    modes = {"missing", "wp", "minor"}
    compliance = compare(verdicts, POLICIES[policy], modes) if policy else None
    case = {
        "backing": "memfd", "mode": "wp", "own_faults": 509, "unsupported": None, "disagreement": None
    }  # fmt: skip
    document = reports_json.check_document(
        verdicts, profile.kernel, profile.plan, modes, policy, compliance, [case], 1
    )
    validator("check").validate(json.loads(reports_json.dump(document)))
    assert document["followed"] == "mainline"
    assert [m["mode"] for m in document["modes"] if m["supported"]] == ["none", "missing", "wp", "minor"]
    if policy:
        assert document["compliance"] == ("follows" if policy == "mainline" else "violates")
