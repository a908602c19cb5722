// SPDX-License-Identifier: GPL-2.0-only
// A distribution as bars: one per bucket, stacked by kind. Positions are percentages, so that words keep
// their size on any screen.

import { bucketWords } from './buckets.js';
import { attribute, svg } from './dom.js';
import { count, exact } from './format.js';

const HEIGHT = 40;
const LEAST = 2;
const POWERS = Array.from({ length: 9 }, (_, i) => 10 ** (i + 2));

export const bars = () => svg('svg', { class: 'bars', role: 'img', height: HEIGHT });

const percent = (x) => `${(100 * x).toFixed(3)}%`;

/** Powers of ten at their place among the buckets: each is twice the one before. */
export function decades(limits, [first, last]) {
  const width = last + 1 - first;
  return POWERS.map((ns) => ({
    at: (Math.log2(ns / limits[0]) + 1 - first) / width,
    words: exact(ns),
  })).filter(({ at }) => at >= 0 && at <= 1);
}

/** Fill the drawing of one row; `words` is what a screen reader says of it. */
export function draw(chart, { figures, limits, range: [first, last], told, words }) {
  const width = 1 / (last + 1 - first);
  const kinds = Object.entries(figures.kinds).filter(([, kind]) => kind.buckets);
  const at = (i) => kinds.reduce((sum, [, kind]) => sum + kind.buckets[i], 0);
  const highest = Math.max(1, ...Array.from({ length: last + 1 - first }, (_, i) => at(first + i)));
  const grid = decades(limits, [first, last]).map(({ at: x }) =>
    svg('line', { class: 'grid', x1: percent(x), x2: percent(x), y1: 0, y2: HEIGHT }),
  );
  const drawn = [];
  for (let i = first; i <= last; i += 1) {
    if (!at(i)) continue;
    let floor = HEIGHT;
    const parts = [];
    const said = [];
    for (const [name, { buckets }] of kinds) {
      if (!buckets[i]) continue;
      const height = Math.max(LEAST, (buckets[i] / highest) * (HEIGHT - 2));
      floor = Math.max(0, floor - height);
      said.push(`${told?.[name] ?? ''} ${count(buckets[i])}`.trim());
      parts.push(
        svg('rect', {
          class: name,
          x: percent((i - first + 0.06) * width),
          width: percent(0.88 * width),
          y: floor,
          height,
        }),
      );
    }
    drawn.push(svg('g', {}, svg('title', {}, `${bucketWords(limits, i)}: ${said.join(', ')}`), ...parts));
  }
  const base = svg('line', { class: 'base', x1: 0, x2: '100%', y1: HEIGHT, y2: HEIGHT });
  chart.replaceChildren(...grid, ...drawn, base);
  attribute(chart, 'aria-label', words);
}
