# SPDX-License-Identifier: GPL-2.0-only
"""One module a command: ``NAME``, ``HELP``, ``add_arguments(parser)``, ``run(args) -> exit code``."""
