# SPDX-License-Identifier: GPL-2.0-only
"""The service: a Prometheus exporter and a live page over the same snapshots as the command line's."""

DEFAULT_PORT = 28333
"""Outside 9100 to 9999, which exporters have allocated to the last, and below the ephemeral ports."""

DEFAULT_ADDRESS = f"127.0.0.1:{DEFAULT_PORT}"
