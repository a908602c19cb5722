# SPDX-License-Identifier: GPL-2.0-only
"""The rows of the dashboard, a file each."""
