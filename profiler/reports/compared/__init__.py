# SPDX-License-Identifier: GPL-2.0-only
"""The outputs of ``compare``: text, JSON and HTML, from one frozen value."""
