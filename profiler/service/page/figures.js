// SPDX-License-Identifier: GPL-2.0-only
// Figures of one row: {sum, wait, kinds}, and per kind {count, buckets}. Buckets are not cumulative; the
// last one is what lies above every boundary. Counts are exact up to 2^53, which no kernel reaches.

export const nothing = () => ({ sum: 0, wait: 0, kinds: {} });

export const total = (figures) => Object.values(figures.kinds).reduce((sum, kind) => sum + kind.count, 0);

/** Add `more` to `into`. */
export function add(into, more) {
  into.sum += more.sum;
  into.wait += more.wait;
  for (const [name, { count, buckets }] of Object.entries(more.kinds)) {
    const kind = (into.kinds[name] ??= { count: 0, buckets: null });
    kind.count += count;
    if (buckets) kind.buckets = kind.buckets ? kind.buckets.map((n, i) => n + buckets[i]) : [...buckets];
  }
  return into;
}

/** Over all kinds; `null` where there is but a count. */
export function buckets(figures) {
  const found = Object.values(figures.kinds).flatMap((kind) => (kind.buckets ? [kind.buckets] : []));
  if (!found.length) return null;
  return found.reduce((sum, more) => sum.map((n, i) => n + more[i]));
}

/**
 * Upper boundary of the bucket that holds the quantile `q`: `null` of nothing, Infinity above the last.
 */
export function quantile(figures, q, limits) {
  const all = buckets(figures);
  const count = total(figures);
  if (!all || !count) return null;
  let seen = 0;
  for (const [i, events] of all.entries()) {
    seen += events;
    if (events && seen >= q * count) return limits[i] ?? Infinity;
  }
  return Infinity;
}

/** First and last index of the buckets in use, or `null`. */
export function used(list) {
  let first = Infinity;
  let last = -1;
  for (const values of list) {
    values?.forEach((n, i) => {
      if (!n) return;
      first = Math.min(first, i);
      last = Math.max(last, i);
    });
  }
  return last < 0 ? null : [first, last];
}
