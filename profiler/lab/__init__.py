# SPDX-License-Identifier: GPL-2.0-only
"""Kernels other than the running one, in a VM.

Where they come from: ``debian`` (with ``apt`` and ``cache``) and ``image``.
How they run: ``vm`` boots ``init.c`` in an ``initramfs`` under ``qemu``, and reads its ``frames``.
"""
