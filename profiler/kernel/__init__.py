# SPDX-License-Identifier: GPL-2.0-only
"""What the running kernel says of itself: BTF, symbols, structure layout, settings.

Nothing here looks at a kernel version.
"""
