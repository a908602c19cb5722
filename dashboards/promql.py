# SPDX-License-Identifier: GPL-2.0-only
"""The few shapes that the queries of the panels have."""

TARGET = 'job=~"$job", instance=~"$instance"'
"""The matchers that every selector begins with."""

MODE = 'uffd_mode=~"$uffd_mode"'


def select(metric: str, *matchers: str) -> str:
    """``metric{…}``."""
    return f"{metric}{{{', '.join(matchers)}}}"


def own(metric: str, *matchers: str) -> str:
    """The series of the chosen targets, narrowed further by ``matchers``."""
    return select(metric, TARGET, *matchers)


def rate(counter: str, *matchers: str) -> str:
    """Increase per second of a counter, over the window that Grafana takes as wide enough for the scrapes."""
    return f"rate({own(counter, *matchers)}[$__rate_interval])"


def increase(counter: str, *matchers: str) -> str:
    """Increase of a counter over that same window."""
    return f"increase({own(counter, *matchers)}[$__rate_interval])"


def summed(by: str, vector: str) -> str:
    """``sum by (…) (…)``."""
    return f"sum by ({by}) ({vector})"


def quantile(q: float, histogram: str, by: str, *matchers: str) -> str:
    """Quantile per label set ``by``, interpolated within its bucket; NaN where nothing was observed."""
    return f"histogram_quantile({q}, {summed(f'le, {by}', rate(f'{histogram}_bucket', *matchers))})"


def mean(histogram: str, by: str, *matchers: str) -> str:
    """Exact mean per label set ``by``; NaN where nothing was observed."""
    total, count = (summed(by, rate(f"{histogram}_{part}", *matchers)) for part in ("sum", "count"))
    return f"{total} / {count}"


def buckets(histogram: str, *matchers: str) -> str:
    """What a heat map is drawn from: observations per second up to each ``le``."""
    return summed("le", rate(f"{histogram}_bucket", *matchers))
