# SPDX-License-Identifier: GPL-2.0-only
"""What an x86-64 page table entry says, under the numbers that a kernel was compiled with.

:mod:`.layout` has the numbers, :mod:`.decode` reads an entry with them, :mod:`.from_kernel` finds them.
Nothing here looks at a kernel version.
"""
