# SPDX-License-Identifier: GPL-2.0-only
"""Two profiles, or two series of runs, of the same workload: what changed, and how sure that is.

Data flows one way: file → :mod:`.documents` (its shape) → :mod:`.samples` (what one run counted) →
:mod:`.figures` (numerators and denominators) → :mod:`.estimate` (intervals) → :mod:`.result`.
"""
