// SPDX-License-Identifier: GPL-2.0-only
// Families of an interval or a profile → what the page keeps of them: a row per label value of each view.

import { add, nothing } from './figures.js';
import { VIEWS } from './views.js';

function parts(cumulative) {
  let below = 0;
  return cumulative.map(({ count }) => {
    const events = count - below;
    below = count;
    return events;
  });
}

function kindOf(view, set) {
  if (view.counts) return { count: view.counts(set), buckets: null };
  return { count: set.count, buckets: set.buckets ? parts(set.buckets) : null };
}

/** Family → Map of rows; `null` for a family that is not available. */
export function digest(families) {
  const found = {};
  for (const [family, view] of Object.entries(VIEWS)) {
    const sets = families[family] ?? null;
    found[family] = sets && new Map();
    for (const set of sets ?? []) {
      if (view.only && !view.only(set)) continue;
      const row = found[family].get(set[view.by]) ?? nothing();
      found[family].set(
        set[view.by],
        add(row, {
          sum: set.sum_ns ?? 0,
          wait: set.wait_ns ?? 0,
          kinds: { [view.kind(set)]: kindOf(view, set) },
        }),
      );
    }
  }
  return found;
}

/** Add one digest to another; a family is available in both or in neither. */
export function accumulate(into, more) {
  for (const [family, rows] of Object.entries(more)) {
    for (const [key, figures] of rows ?? []) {
      into[family]?.set(key, add(into[family].get(key) ?? nothing(), figures));
    }
  }
  return into;
}

/** Boundaries of the time buckets in ns, from whatever label set has them. */
export function limits(families) {
  for (const set of Object.values(families).flatMap((sets) => sets ?? [])) {
    if (set.buckets?.[0]?.le_ns) return set.buckets.slice(0, -1).map((bucket) => bucket.le_ns);
  }
  return null;
}
