# SPDX-License-Identifier: GPL-2.0-only
"""The option by which a command that counts is told how a patched kernel writes "uffd-wp, page gone"."""

import argparse

from ..pte.proposals import PROPOSALS, Proposal

PRESENT: Proposal = "prot-none"
"""``pte_present()`` is true of it, so handle_pte_fault() (mm/memory.c) never calls do_swap_page() for it."""

COUNTED = tuple(proposal for proposal in PROPOSALS if proposal != PRESENT)


def add_option(parser: argparse.ArgumentParser, name: str) -> None:
    """Add it; ``args.uffd_wp_entry`` is a :data:`Proposal` or ``None``.

    :param name: of the option, with its hyphens.
    """
    parser.add_argument(
        name,
        dest="uffd_wp_entry",
        type=_counted,
        metavar="PROPOSAL",
        help='what a patched kernel writes for "uffd-wp, page gone", if it is one of the proposals of 2020: '
        f"{', '.join(COUNTED)}; faults on it are counted as kind uffd_wp_special",
    )


def _counted(text: str) -> Proposal:
    if text == PRESENT:
        raise argparse.ArgumentTypeError(
            f"faults on {PRESENT} entries never reach do_swap_page, so they cannot be counted by kind; "
            f"`uffd-profiler pte --uffd-wp-entry {PRESENT}` decodes such entries"
        )
    for proposal in COUNTED:
        if text == proposal:
            return proposal
    raise argparse.ArgumentTypeError(f"{text!r:.60} is none of {', '.join(COUNTED)}")
