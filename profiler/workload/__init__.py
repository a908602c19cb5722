# SPDX-License-Identifier: GPL-2.0-only
"""The ground truth: a C program that takes page faults and counts them itself.

``build`` compiles it, ``run`` runs it, ``result`` is what it prints.
"""
