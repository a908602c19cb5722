# SPDX-License-Identifier: GPL-2.0-only
"""``uffd-profiler pte``: text, JSON by its schema, and one sentence for each thing a user can do wrong."""

import argparse
import json
import mmap
import os
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from profiler.commands import pte
from profiler.errors import Exit, UserError
from profiler.kernel.userfaultfd import address
from profiler.pte import kinds as k
from profiler.pte import pagemap, swaps
from profiler.pte.entry import Entry
from profiler.pte.proposals import Proposal

Run = Callable[..., str]
MARKER = "0xf7fffffffffffc00"
SLOT = "0x07fffffffffbfa0a"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        pte.add_arguments(parser)
        assert pte.run(parser.parse_args(arguments)) == Exit.OK
        return capsys.readouterr().out

    return run


def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(files("profiler.reports").joinpath("schema/pte.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_one_block_a_value(run: Run) -> None:
    blocks = run("--layout", "debian-6.1", MARKER, SLOT).split("\n\n")
    assert blocks[0] == "layout debian-6.1, from the kernel's package"
    assert blocks[1].splitlines()[:2] == [MARKER, "  kind         marker_uffd_wp"]
    assert blocks[2].splitlines() == [
        SLOT,
        "  kind         swap_slot",
        "  meaning      the page is in swap",
        "  present      no",
        "  type         0",
        "  offset       514 (0x202)",
        "  uffd-wp      no",
        "  soft-dirty   yes",
        "  exclusive    yes",
    ]


def test_decimal_and_hexadecimal(run: Run) -> None:
    assert run("--layout", "debian-6.1", str(int(MARKER, 16))) == run("--layout", "debian-6.1", MARKER)


def test_what_is_unknown_is_said_and_never_0(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        "CONFIG_X86_64=y\nCONFIG_MIGRATION=y\nCONFIG_PTE_MARKER_UFFD_WP=y\nCONFIG_DEVICE_PRIVATE=y\n"
    )
    text = run("--config", str(path), "0xd7ffffffdf000000")
    assert re.search(r"kind +\w+ or \w+", text)
    assert "Not told apart: " in text
    document = json.loads(run("--config", str(path), "0xdfffffffdf000000", "--json", "-"))
    assert len(document["entries"][0]["kinds"]) > 1
    assert document["entries"][0]["label"] == "special"


def test_this_kernels_swap_devices_are_named_and_no_other_kernels(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swaps, "read", lambda: ("/dev/zram0", "/swapfile"))
    second = "0x0ffffffffffbfa0a"
    assert re.search("device +/dev/zram0\n", run(SLOT))
    assert re.search("device +/dev/zram0 or /swapfile\n", run(second))
    assert re.search("device +/swapfile\n", run(SLOT, second))
    assert "device" not in run("--layout", "debian-6.1", SLOT)


def test_a_proposal(run: Run) -> None:
    value = "0x07fffffffffff600"
    chosen = ("--layout", "debian-6.1", "--uffd-wp-entry", "type0-uffd-bit", value)
    assert "swap_slot or uffd_wp_special" in run(*chosen)
    assert "kind         uffd_wp_special" in run(*chosen, "--file-backed")
    assert "kind         swap_slot" in run(*chosen, "--anonymous")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--layout", "debian-5.10", "0", "0x1", "0x100", MARKER, "0xffffffffffffffff", "0x40"),
        ("--layout", "debian-7.2", "--uffd-wp-entry", "type1-offset0", "0x0ffffffffffffe00", MARKER),
        (SLOT, MARKER),
    ],
)
def test_json_follows_its_schema(run: Run, arguments: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    text = run(*arguments, "--json", str(path))
    document = json.loads(path.read_text())
    validator().validate(document)
    values = [int(a, 0) for a in arguments if a[0].isdigit()]
    assert [int(entry["value"], 16) for entry in document["entries"]] == values
    assert [" or ".join(entry["kinds"]) for entry in document["entries"]] == re.findall(" kind +(.*)", text)


def test_the_schemas_words_are_those_of_the_code() -> None:
    schema: Any = validator().schema
    entry = schema["$defs"]["entry"]["properties"]
    assert schema["$defs"]["kind"]["enum"] == list(k.MEANING)
    assert set(entry["label"]["enum"]) == {*k.LABELS, "none", "present"}
    assert set(entry["markers"]["items"]["enum"]) == set(k.MARKERS)
    assert set(entry["unknown"]["items"]["enum"]) <= set(Entry.__dataclass_fields__)
    assert schema["properties"]["uffd_wp_entry"]["enum"] == [*get_args(Proposal), None]


def test_a_page_of_a_process(run: Run, tmp_path: Path) -> None:
    with mmap.mmap(-1, 2 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory[0] = 1
        at = hex(address(memory))
        path = tmp_path / "out.json"
        text = run("--pid", str(os.getpid()), "--address", at, "--pages", "2", "--json", str(path))
    document = json.loads(path.read_text())
    validator().validate(document)
    assert [entry["address"] for entry in document["entries"]] == [at, hex(int(at, 16) + 4096)]
    assert [entry["kinds"] for entry in document["entries"]] == [["present", "prot_none"], ["none"]]
    assert {entry["mapping"] for entry in document["entries"]} == {"anonymous memory"}
    assert f"{at} in anonymous memory: pagemap 0x" in text


def test_hidden_frames_are_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagemap, "read", lambda *_: (pagemap.PRESENT,))
    with mmap.mmap(-1, mmap.PAGESIZE) as memory:
        text = run("--pid", str(os.getpid()), "--address", hex(address(memory)))
    assert "CAP_SYS_ADMIN" in text
    assert re.search("pfn +unknown\n", text)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "VALUE"),
        (("--address", "0x1000"), "--pid"),
        (("--pid", "1"), "--address"),
        (("--pid", "1", "--address", "0", "0x1"), "VALUE"),
        (("--pid", "1", "--address", "0", "--layout", "debian-6.1"), "debian-6.1"),
        (("--pid", "1", "--address", "0", "--anonymous"), "--anonymous"),
        (("--pid", "2147483647", "--address", "0"), "2147483647"),
        (("--config", "/nonesuch/config", "0x1"), "/nonesuch/config"),
    ],
)
def test_what_a_user_can_do_wrong_is_one_sentence(run: Run, arguments: tuple[str, ...], named: str) -> None:
    with pytest.raises(UserError) as caught:
        run(*arguments)
    assert named in str(caught.value)
    assert caught.value.code == Exit.USAGE
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("zz",),
        ("-1",),
        ("0x10000000000000000",),
        ("",),
        ("0x1", "--layout", "debian-4"),
        ("0x1", "--uffd-wp-entry", "magic"),
        ("--pid", "0", "--address", "0"),
        ("--pid", "1", "--address", "0", "--pages", "0"),
        ("0x1", "--anonymous", "--file-backed"),
    ],
)
def test_wrong_usage_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        run(*arguments)


def test_an_address_where_nothing_is_mapped(run: Run) -> None:
    with pytest.raises(UserError, match="maps nothing at 0x0"):
        run("--pid", str(os.getpid()), "--address", "0")


def test_an_address_of_the_kernels(run: Run) -> None:
    if "[vsyscall]" not in Path("/proc/self/maps").read_text():
        pytest.skip("no vsyscall page: boot with vsyscall=xonly")
    with pytest.raises(UserError, match="do not hold 0xffffffffff600000"):
        run("--pid", str(os.getpid()), "--address", "0xffffffffff600000")


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user: run as root")
def test_a_process_of_another_user(run: Run) -> None:
    child = os.fork()
    if not child:
        try:
            os.setgid(65534)
            os.setuid(65534)
            run("--pid", "1", "--address", "0")
        except UserError as error:
            os._exit(0 if "sudo" in str(error) and "process 1 " in str(error) else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_an_existing_file_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old")
    with pytest.raises(UserError, match="exists already"):
        run("0x1", "--json", str(path))
    assert path.read_text() == "old"
    run("0x1", "--json", str(path), "--force")
    assert json.loads(path.read_text())["entries"]
