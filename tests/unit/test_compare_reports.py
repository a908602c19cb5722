# SPDX-License-Identifier: GPL-2.0-only
"""The outputs of ``compare``, and its documentation."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, get_args

import pytest

from profiler.commands import compare as command
from profiler.comparison.compare import compare
from profiler.comparison.conditions import judge, parse
from profiler.comparison.distributions import Limits
from profiler.comparison.labelled import NAMES
from profiler.comparison.loading import load
from profiler.comparison.resampling import LEAST_UNITS, MOST_ARRANGEMENTS, RESAMPLES, SEED
from profiler.comparison.result import Change, Method, Shown
from profiler.kernel.clock import Clock
from profiler.reports.compared import html, text, words
from profiler.reports.compared import json as reports_json
from profiler.reports.compared.report import Report
from profiler.reports.text import WIDTH
from tests.unit import compared, samples
from tests.unit.compared import grid, mainline, merged, reads, ungated
from tests.unit.test_reports_html import walk
from tests.unit.test_reports_json import objects, validator

ROOT = Path(__file__).parents[2]
DOCS = ROOT.joinpath("docs/compare.md").read_text()
GOLDEN = Path(__file__).parent / "golden" / "comparison.txt"
CONDITIONS = ("read_faults@minor>+10%", "ns_per_fault@none>+2%", "fault_around_runs@missing<-1%")


def series(folder: Path) -> Report:
    """From fault-around everywhere to none for WP and MINOR, with a workload on one side alone."""
    before, after = grid("lab:ungated", ungated), grid("lab:mainline", mainline, size=None)
    more = compared.run(compared.workload("missing+wp", backing="tmpfs"), reads("missing+wp", 9, (800,)))
    after = replace(after, runs=(*after.runs, more))
    comparison = compared.compared(folder, before, after)
    return Report(comparison, tuple(judge(comparison, parse(c)) for c in CONDITIONS), 1)


def noisy(folder: Path) -> Report:
    """Runs that also saw modes they were not made for, by the clock of instructions."""

    def make(mode: str, random: Any) -> compared.Slots:
        return merged(ungated(mode, random), reads("none" if mode != "none" else "wp", 7, (900,)))

    found = (grid(name, make, ("wp", "minor"), 6, "instructions", seed) for seed, name in enumerate("ab"))
    return Report(compared.compared(folder, *found), (), 0)


def profiles(folder: Path) -> Report:
    """Two profiles with every family."""
    slots = samples.fentry_slots()
    more = slots | {"read_fault": slots["read_fault"] | {("user", "wp", "shmem", "skipped"): samples.slot("read_fault", samples.spread(5099, 450, 9_000))}}  # noqa: E501  # fmt: skip
    comparison = compared.compared(
        folder,
        compared.document(slots, command=samples.EVIL),
        compared.document(more, command=samples.EVIL, release="<b>7.2</b>"),
    )
    return Report(comparison, (), 0)


def emulated(folder: Path) -> Report:
    """Of a clock that misleads, by tracepoints."""
    document = compared.document(samples.tracepoint_slots(), samples.tracepoint_plan()) | {
        "clock": "emulated"
    }
    return Report(compared.compared(folder, document, document), (), 0)


def nothing(folder: Path) -> Report:
    """Nothing occurred, and hardly anything is hooked."""
    document = compared.document({}, samples.bare_plan(), None)
    return Report(compared.compared(folder, document, document), (), 0)


def lossy(folder: Path) -> Report:
    """Events were lost after."""
    after = compared.document(merged(reads("wp", 300, (900,)), compared.lost("threads_full", 7)))
    return Report(compared.compared(folder, compared.document(reads("wp", 30, (900,))), after), (), 0)


ALL: dict[str, Callable[[Path], Report]] = {
    f.__name__: f for f in (series, noisy, profiles, emulated, nothing, lossy)
}


@pytest.fixture(scope="module", params=ALL)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return ALL[request.param](tmp_path_factory.mktemp("r"))


def test_no_line_is_wider_than_100_columns(report: Report) -> None:
    for all_modes in (False, True):
        found = text.render(report, all_modes)
        assert max(map(len, found.splitlines())) <= WIDTH
        assert "\x1b" not in found


def test_output_follows_the_schema_and_is_the_document(report: Report) -> None:
    found = reports_json.render(report)
    assert json.loads(found) == reports_json.document(report)
    assert found.isascii()
    assert "Infinity" not in found
    assert "NaN" not in found
    validator("comparison").validate(json.loads(found))


def test_page_is_well_formed_and_alone(report: Report) -> None:
    page = html.render(report)
    found = walk(page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|src=", page)
    assert page.encode()
    tags = [tag for tag, _ in found.tags]
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(tags)
    assert not [n for _, attributes in found.tags for n in attributes if n.startswith("on")]
    assert "<b>7.2</b>" not in page
    assert tags.count("h1") == 1
    assert all(values.get("scope") in ("col", "row") for tag, values in found.tags if tag == "th")


def test_every_drawing_says_in_words_what_the_table_beside_it_says(report: Report) -> None:
    page = html.render(report)
    for tag, values in walk(page).tags:
        if tag == "svg":
            assert values.get("aria-hidden") == "true" or values.get("aria-labelledby")
        if tag == "rect":
            assert values.get("class") in ("ran", "skipped", "other")
            for name in ("x", "width"):
                if (values.get(name) or "").endswith("%"):
                    assert 0 <= float((values[name] or "").rstrip("%")) <= 100
    for part in page.split("<section")[1:]:
        if "<figure>" in part:
            assert "<table>" in part
    drawn = re.findall(r"<title id=\"[^\"]+\">([^<]+): after / before (\S+), 95%", page)
    limited = [
        row
        for group in report.comparison.groups
        for row in group.rows
        if row.ratio and row.ratio.limits and row.ratio.estimate > 0
    ]
    assert bool(drawn) == bool(limited)


def test_the_same_documents_give_the_same_comparison(tmp_path: Path) -> None:
    for render in (text.render, reports_json.render, html.render):
        assert render(series(tmp_path)) == render(series(tmp_path))


def test_text_of_a_series_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a wanted change: ``UPDATE_GOLDEN=1 pytest`` writes it anew; read the difference."""
    monkeypatch.chdir(tmp_path)
    compared.written(Path(), "before", grid("lab:ungated", ungated))
    compared.written(Path(), "after", grid("lab:mainline", mainline))
    comparison = compare(load("before.json"), load("after.json"))
    found = text.render(Report(comparison, tuple(judge(comparison, parse(c)) for c in CONDITIONS), 1))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def test_what_changed_comes_first_and_nothing_is_called_equal(tmp_path: Path) -> None:
    found = text.render(series(tmp_path))
    first = found.index("WHAT CHANGED")
    assert first < found.index("ALL WORKLOADS")
    assert re.search(r"^  minor +read faults +256 +4096 +x16\.0 +exact$", found, re.M)
    assert "No difference that these samples can show: none: all" in found
    assert "Not comparable, run only after:" in found
    assert "missing+wp" in found
    assert not re.search(r"\b(equal|identical|unchanged|same)\b", found.replace("exact: the same", ""))


def test_conditions_are_told_before_the_figures(tmp_path: Path) -> None:
    found = text.render(series(tmp_path))
    assert found.index("failed: read_faults@minor>+10% (+1500% in every run)") < found.index("WHAT CHANGED")
    assert "cannot tell: ns_per_fault@none>+2% (95 % from" in found


def test_modes_a_workload_was_not_made_for_are_named_and_printed_when_asked(tmp_path: Path) -> None:
    found = noisy(tmp_path)
    assert "printed with --all-modes: mode wp, backing memfd: mode none" in text.render(found)
    assert "MODE WP, BACKING MEMFD: MODE NONE" not in text.render(found)
    assert "MODE WP, BACKING MEMFD: MODE NONE" in text.render(found, all_modes=True)


def test_instructions_are_not_called_time(tmp_path: Path) -> None:
    found = noisy(tmp_path)
    for output in (text.render(found), html.render(found)):
        assert "insn per read fault" in output
        assert "time per read fault" not in output
        assert not re.search(r"\d(ns|us|ms)\b", output)
    units = {r["unit"] for g in reports_json.document(found)["workloads"] for r in g["rows"]}
    assert "insn" in units
    assert "ns" not in units


def test_time_under_emulation_is_called_so(tmp_path: Path) -> None:
    found = emulated(tmp_path)
    assert text.render(found).count("ns under emulation") > 4
    units = {r["unit"] for g in reports_json.document(found)["totals"] for r in g["rows"]}
    assert "ns under emulation" in units
    assert "ns" not in units


def test_what_is_not_known_is_not_printed_as_nothing(tmp_path: Path) -> None:
    found = text.render(emulated(tmp_path))
    assert not re.search(r"^  pages they mapped +0", found, re.M)
    assert re.search(r"pages they mapped.*: before: not\s+available by tracepoints", found, re.S)
    assert "None on either side: pages they mapped" not in found


@pytest.mark.parametrize(
    ("limits", "said"),
    [((2.0, inf), "2.00 or more"), ((0.0, inf), "0 or more"), ((1e-6, 1e6), "1e-06 to 1e+06")],
)
def test_a_limit_that_is_not_there_is_written_so(tmp_path: Path, limits: Limits, said: str) -> None:
    found = series(tmp_path)
    change = Change(16.0, limits)
    first = replace(found.comparison.totals[0].rows[0], ratio=change)
    group = replace(found.comparison.totals[0], rows=(first,))
    report = replace(
        found, comparison=replace(found.comparison, totals=(group, *found.comparison.totals[1:]))
    )
    document = json.loads(reports_json.render(report), parse_constant=pytest.fail)
    assert document["totals"][0]["rows"][0]["ratio"]["limits"] == {
        "low": limits[0],
        "high": None if limits[1] == inf else limits[1],
    }
    assert said in text.render(report)
    positions = re.findall(r'<rect class="\w+" x="([^%"]+)%" width="([^%"]+)%"', html.render(report))
    assert len(positions) > 2
    assert all(float(x) >= 0 and float(x) + float(width) <= 100 for x, width in positions)


def test_of_lost_events_no_change_is_judged(tmp_path: Path) -> None:
    found = text.render(lossy(tmp_path))
    assert "note: Events were lost: 0 before, 7 after." in found
    assert "WHAT CHANGED: cannot tell" in found
    assert re.search(r"^  read faults +30 +300 +\+270 +- +x10\.0 +-$", found, re.M)


@pytest.mark.parametrize(
    ("value", "kind", "clock", "written"),
    [
        (None, "events", "hardware", "-"),
        (4099, "events", "hardware", "4099"),
        (16.3112, "events", "hardware", "16.31"),
        (12_345_678, "events", "hardware", "12.3M"),
        (0.0975, "share", "hardware", "9.75%"),
        (1234, "time", "hardware", "1.23us"),
        (1234, "time", "instructions", "1234"),
        (1234.5, "time", "instructions", "1.23k"),
        (0.004, "events", "hardware", "0.004"),
    ],
)
def test_how_figures_are_written(value: float | None, kind: Any, clock: Clock, written: str) -> None:
    assert words.amount(value, kind, clock) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(240, "+240"), (-240, "-240"), (0, "0"), (-0.2, "-0.20"), (1e-9, "+1e-09"), (-1e7, "-10.0M")],
)
def test_changes_have_a_sign(value: float, written: str) -> None:
    assert words.signed(value, "events", "hardware") == written
    assert words.signed(-0.2, "time", "hardware") == "0ns"


@pytest.mark.parametrize("name", ["comparison", "runs"])
def test_schema_is_closed_and_complete(name: str) -> None:
    for schema in objects(validator(name).schema):
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert sorted(schema["required"]) == sorted(schema["properties"])


def test_enumerations_of_the_schema_are_those_of_the_code() -> None:
    row: Any = validator("comparison").schema["$defs"]["row"]["properties"]  # type: ignore[index]
    assert tuple(row["figure"]["enum"]) == NAMES
    assert tuple(row["method"]["enum"]) == get_args(Method)
    assert tuple(row["shown"]["enum"]) == get_args(Shown)
    assert {*row["unit"]["enum"]} == {"events", "pages", "share", *words.UNITS.values()}


@pytest.mark.parametrize(
    "word",
    [*NAMES, *get_args(Method), *get_args(Shown), *get_args(Clock), *words.UNITS.values(), words.NONE_SHOWN],
)
def test_every_word_of_the_outputs_is_in_the_documentation(word: str) -> None:
    assert f"`{word}`" in DOCS or (word == words.NONE_SHOWN and word in DOCS)


def test_every_figure_is_in_the_help() -> None:
    assert command.__doc__
    assert all(re.search(rf"\b{name}\b", command.__doc__) for name in NAMES)


@pytest.mark.parametrize("name", ["comparison", "runs"])
def test_every_field_of_the_schemas_is_in_the_documentation(name: str) -> None:
    for schema in objects(validator(name).schema):
        for field in schema["properties"]:
            assert f"`{field}`" in DOCS or field == "clock", field


def test_numbers_and_examples_of_the_documentation_are_so() -> None:
    assert f"at least {LEAST_UNITS} blocks" in DOCS
    assert f"{RESAMPLES} times" in DOCS
    assert f"at most {MOST_ARRANGEMENTS} arrangements" in DOCS
    assert SEED == 20201130
    examples = re.findall(r"`([a-z_]+@?[^`]*[<>]=?[^`]*)`", DOCS)
    assert len(examples) >= 3
    for example in examples:
        parse(example)
    for link in re.findall(r"\]\(([^)#]+)\)", DOCS):
        assert (ROOT / "docs" / link).exists()
