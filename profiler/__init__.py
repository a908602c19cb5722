# SPDX-License-Identifier: GPL-2.0-only
"""An eBPF profiler of the Linux page-fault path around userfaultfd."""

__version__ = "0.1.0"
