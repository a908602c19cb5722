# SPDX-License-Identifier: GPL-2.0-only
"""The privileged child: plans, compiles, attaches, hands everything over, and is gone.

It is the only process that ever imports BCC, and only to compile what no earlier start kept; the memory of
LLVM goes with it.
"""

import ctypes as ct
import os
import signal
import socket
from dataclasses import dataclass
from typing import Any

from ..errors import Exit, UserError
from ..kernel import abilities, layout, settings
from ..kernel.btf import Btf
from ..kernel.symbols import Symbols
from ..pte import from_kernel
from ..pte.constants import constants
from ..pte.layout import Facts, Layout, candidates
from . import handover, processes
from .accounts import enable_statistics
from .calibrate import minor_bit
from .catalogue import SYMBOLS, Hook, Way, WayName
from .module import Attached, RefusedError
from .planner import Plan, plan
from .request import Request

_PR_SET_PDEATHSIG = 1


def serve(request: Request, channel: socket.socket, parent: int) -> None:
    """Body of the child: attach, hand over; what a user can mend is handed over as an error."""
    _die_with(parent)
    try:
        result = _attach(request)
    except UserError as error:
        result = handover.Handover({"error": str(error), "code": error.code}, {})
    handover.send(channel, result)


def _die_with(parent: int) -> None:
    """The parent may have died before it could be watched; in a container it may be process 1."""
    ct.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(Exit.CANNOT_ATTACH)


@dataclass
class Examination:
    """What was found out about this kernel before planning."""

    btf: Btf
    symbols: Symbols
    abilities: abilities.Abilities
    facts: dict[str, int]

    def refuse(self, hook: Hook, way: Way) -> str | None:
        """Why a way cannot be taken; ``None`` if nothing speaks against trying."""
        if way.name == "fentry" and self.abilities.fentry:
            return self.abilities.fentry
        if way.name == "kprobe" and self.abilities.kprobe:
            return self.abilities.kprobe
        if way.symbol:
            why = abilities.unattachable(self.symbols, way.symbol)
            if why:
                return why
            if way.name == "fentry" and self.facts.get(f"NARGS_{way.symbol}", 0) > abilities.ARGUMENTS:
                why = abilities.try_to_attach_fentry(self.btf, way.symbol)
                if why:
                    return why
        if way.walks_vmas and self.abilities.vma_walk:
            return self.abilities.vma_walk
        for address in way.addresses:
            if self.symbols.address(address) is None:
                return f"the address of {address} is not in /proc/kallsyms"
        for attachment in way.attachments:
            if attachment.kind == "raw_tracepoint" and not self.btf.has_tracepoint(attachment.target):
                return f"this kernel has no tracepoint {attachment.target}"
        return None


def examine() -> Examination:
    """Find out what this kernel can do.

    :raises UserError: when it cannot be profiled at all.
    """
    try:
        btf = Btf()
    except OSError as error:
        raise UserError(
            f"The kernel's BTF cannot be read ({error.strerror}); "
            "boot a kernel built with CONFIG_DEBUG_INFO_BTF, and see that libbpf.so.1 is installed.",
            Exit.CANNOT_ATTACH,
        ) from error
    symbols = Symbols(SYMBOLS | from_kernel.FUNCTIONS)
    try:
        facts = layout.offsets(btf)
    except layout.MissingMemberError as error:
        raise UserError(
            f"This kernel cannot be profiled: {error}; boot a kernel with CONFIG_USERFAULTFD.",
            Exit.CANNOT_ATTACH,
        ) from error
    walk: str | None = None
    try:
        facts |= layout.tree_of_vmas(btf)
    except layout.MissingMemberError as error:
        walk = f"VMAs cannot be found from a tracepoint: {error}"
    facts |= layout.folio_order(btf)
    for name in SYMBOLS:
        address = symbols.address(name)
        if address is not None:
            facts[f"ADDRESS_{name}"] = address
        try:
            facts[f"NARGS_{name}"] = btf.argument_count(name)
        except KeyError:
            continue
    can = abilities.Abilities(abilities.exact_fentry(btf), abilities.try_kprobe(), walk)
    return Examination(btf, symbols, can, facts)


def _attach(request: Request) -> handover.Handover:
    settings.private_mounts()
    examination = examine()
    refused: dict[tuple[str, WayName], str] = {}

    def refuse(hook: Hook, way: Way) -> str | None:
        return refused.get((hook.name, way.name)) or examination.refuse(hook, way)

    while True:
        chosen = plan(refuse, request.best_way, request.asked)
        _require_vital(chosen)
        pte = _pte_layout(chosen, examination)
        facts = examination.facts | constants(pte, request.uffd_wp_entry)
        try:
            attached = Attached(chosen, examination.btf, facts, request.processes is not None)
        except RefusedError as error:
            hook = next(h for h in chosen.hooks if error.attachment in h.attachments)
            refused[hook.name, hook.way] = f"{error.attachment.target}: {error.reason}"
            continue
        return _hand_over(request, chosen, attached, pte)


def _pte_layout(chosen: Plan, examination: Examination) -> Layout:
    """Of the entries that do_swap_page() is called for; where nobody looks at them, it is not worked out."""
    if chosen.way("swap_entry") == "none":
        return Layout("not asked for", candidates(Facts()))
    return from_kernel.for_probes(examination.symbols)


def _require_vital(chosen: Plan) -> None:
    for name in ("process", "fault"):
        hook = chosen.hook(name)
        if hook.way == "none":
            raise UserError(
                f"The hook {name!r} ({hook.what}) cannot be attached: {hook.reason}; "
                "run `uffd-profiler doctor` to see what this kernel allows.",
                Exit.CANNOT_ATTACH,
            )


def _hand_over(request: Request, chosen: Plan, attached: Attached, pte: Layout) -> handover.Handover:
    filtered = request.processes is not None
    if filtered:
        attached.follow(os.getpid(), processes.COUNTED)
    # Without the read path nothing asks for the mode of a region, and nothing could tell the bit.
    minor = minor_bit(attached.settings) if chosen.way("read_fault") != "none" else None
    if filtered:
        attached.unfollow(os.getpid())
    attached.reset()
    if request.processes is not None:
        processes.insert(attached.follow, request.processes)
    facts: dict[str, Any] = {
        "plan": chosen.to_json(),
        "cpus": attached.cpus,
        "fault_around_bytes": settings.fault_around_bytes(),
        "minor_flag": minor,
        # What leaves no kind in doubt concerns nobody.
        "pte_doubts": pte.doubts if any(len(kinds) > 1 for kinds in pte.types) else (),
        "uffd_wp_entry": request.uffd_wp_entry,
        "programs": attached.program_names,
    }
    return handover.Handover(
        facts,
        {
            "slots": [attached.map_fd("slots")],
            "waiting": [attached.map_fd("waiting")],
            "recent": [attached.map_fd("recent")],
            "programs": attached.programs,
            "links": attached.links,
            "statistics": enable_statistics() if request.statistics else [],
        },
    )
