# SPDX-License-Identifier: GPL-2.0-only
"""Parts of the HTML report: words into tables, buckets into drawings."""
