# SPDX-License-Identifier: GPL-2.0-only
"""Hooks: logical points of the fault path, the ways to reach them, and the privileged child that attaches.

catalogue → planner → program → attacher → handover → session. Everything after the hand-over runs without
a privilege and without BCC.
"""
