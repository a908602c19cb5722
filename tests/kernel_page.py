# SPDX-License-Identifier: GPL-2.0-only
"""docs/kernels.md, from the verdicts that the tests found on each kernel."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.kernel.verdicts import Verdict

Found = Mapping[str, Sequence[Verdict]]
"""Kernel as ``vm --kernel`` takes it → its verdicts, one for each best way."""

_HEAD = """\
# Kernels

Made by `make kernels-page`, which runs the tests on each kernel in a VM; `make test-kernels` fails if what
they find is not what stands here. `debian:` kernels are Debian's packages (`sid` as of the day of the run);
`lab:` kernels are built from Debian's 6.1 source and differ in nothing but the gate of fault-around:

- `lab:mainline` has mainline's, in `should_fault_around()`: none in regions registered for WP or MINOR;
- `lab:seed` has that of the patch of December 2020 instead, at the top of `do_fault_around()`: none in any
  registered region. The function is entered there all the same: who counts its entries judges wrongly;
- `lab:ungated` has no gate.

In all three `do_fault_around()` and `do_read_fault()` are kept as symbols (`noinline`); Debian's inline them.
Under lazy preemption, as in `debian:sid`, runs of fentry programs may be left out: kprobes are taken there.
Runs of raw tracepoints' programs are left out there too, when a thread comes in between; a profile says how
many, and judges nothing then.
"""


def render(found: Found) -> str:
    """The page. Release numbers are left out: they change without anything else changing."""
    return "\n".join([_HEAD, _verdicts(found), _ways(found)])


def _verdicts(found: Found) -> str:
    modes = [mode["mode"] for mode in _best(found[next(iter(found))])["modes"]]
    lines = [
        "## What each does with fault-around",
        "",
        "By every way of `check` that can tell, each with the same answer.",
        "",
        *_table("kernel", *(f"`{mode}`" for mode in modes), "told by", "follows"),
    ]
    for kernel, verdicts in found.items():
        told = [way for way, document in verdicts if _tells(document)]
        document = _best(verdicts)
        answers = [mode["answer"] if mode["supported"] else "-" for mode in document["modes"]]
        follows = document["followed"] or "cannot tell: the policies agree over its modes"
        lines.append(f"| `{kernel}` | " + " | ".join([*answers, ", ".join(told), follows]) + " |")
    return "\n".join([*lines, "", "`-`: the kernel has no such mode for shared memory.", ""])


def _ways(found: Found) -> str:
    hooks = [hook["name"] for hook in _best(found[next(iter(found))])["plan"]]
    lines = [
        "## Ways to each hook",
        "",
        "Best first; in brackets the function, where it is not the same on all kernels.",
        "",
        *_table("hook", *(f"`{kernel}`" for kernel in found)),
    ]
    for name in hooks:
        symbols = {_hook(document, name)["symbol"] for verdicts in found.values() for _, document in verdicts}
        several = len(symbols - {None}) > 1
        cells = [_cell(verdicts, name, several) for verdicts in found.values()]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _table(*heads: str) -> tuple[str, str]:
    return "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"


def _cell(verdicts: Sequence[Verdict], name: str, with_symbol: bool) -> str:
    taken: dict[str, str | None] = {}
    for _, document in verdicts:
        hook = _hook(document, name)
        if hook["way"] != "none":
            taken.setdefault(hook["way"], hook["symbol"])
    symbol = next((symbol for symbol in taken.values() if symbol), None)
    text = ", ".join(taken) or "none"
    return f"{text} (`{symbol}`)" if with_symbol and symbol else text


def _tells(document: Mapping[str, Any]) -> bool:
    return any(mode["answer"] != "not exercised" for mode in document["modes"])


def _best(verdicts: Sequence[Verdict]) -> Mapping[str, Any]:
    """The document by the best way; the others that can tell must answer the same."""
    documents = [document for _, document in verdicts if _tells(document)]
    answers = {tuple(mode["answer"] for mode in document["modes"]) for document in documents}
    if len(answers) != 1:
        raise ValueError(f"the ways disagree: {sorted(answers)}")
    return documents[0]


def _hook(document: Mapping[str, Any], name: str) -> Any:
    return next(hook for hook in document["plan"] if hook["name"] == name)
