# SPDX-License-Identifier: GPL-2.0-only
"""Kernels other than the running one, in a VM.

Where they come from: ``debian`` (packages, with ``apt``), ``built`` (from Debian's source and the patches in
``kernel/``, with ``kernel_source``, ``kernel_patches``, ``kernel_build``, ``make``) and ``image`` (the user's
own; ``kernel_config`` and ``requirements`` tell what it lacks). All that is made is kept in the ``cache``.
How they run: ``vm`` boots ``init/`` in an ``initramfs`` under ``qemu``, and reads its ``frames``.
"""
