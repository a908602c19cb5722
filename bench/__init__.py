# SPDX-License-Identifier: GPL-2.0-only
"""Where the figures of README.md come from: ``make bench``."""
