# SPDX-License-Identifier: GPL-2.0-only
"""The outputs: text, JSON and HTML, all made from one frozen :class:`~profiler.profile.Profile`.

``sections/`` turns the profile into tables of words, which text and HTML lay out: the two cannot differ.
``availability`` decides, for all outputs, what the ways taken cannot tell.
"""
