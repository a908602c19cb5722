# SPDX-License-Identifier: GPL-2.0-only
"""Moment → metric families: one file per path of the kernel, as in ``bpf/``."""
