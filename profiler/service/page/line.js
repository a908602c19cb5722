// SPDX-License-Identifier: GPL-2.0-only
// A chart of one row over time: areas stacked by kind, one step per tick.

import { attribute, svg } from './dom.js';
import { place } from './timeaxis.js';

const WIDTH = 1000;
const HEIGHT = 40;
/** What a single event has at least: a rare event must be seen. */
const LEAST = 2;

const at = (x, y) => `${x.toFixed(1)} ${y.toFixed(2)}`;

/** Path under `heights`; ticks that follow each other without a gap are one shape. */
function area(ticks, period, heights) {
  let path = '';
  let open = null;
  ticks.forEach((tick, i) => {
    const [left, right] = [tick.until - tick.duration, tick.until].map((ns) => WIDTH * place(period, ns));
    const y = HEIGHT - heights[i];
    if (open !== null && left - open > 0.5) {
      path += `V${HEIGHT}Z`;
      open = null;
    }
    path += open === null ? `M${at(left, HEIGHT)}V${y.toFixed(2)}` : `L${at(left, y)}`;
    path += `H${right.toFixed(1)}`;
    open = right;
  });
  return open === null ? '' : `${path}V${HEIGHT}Z`;
}

export const line = () =>
  svg('svg', {
    class: 'line',
    role: 'img',
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
  });

/**
 * `values`: kind → one number per tick. `peak`: what the height stands for. `moment`: the tick looked at, or
 * null. `words`: what a screen reader says of it.
 */
export function fill(chart, { ticks, period, values, peak, moment, words }) {
  const floor = ticks.map(() => 0);
  const shapes = Object.entries(values).map(([kind, numbers]) => {
    const heights = numbers.map((n, i) => {
      if (n) floor[i] = Math.min(HEIGHT, floor[i] + Math.max(LEAST, (n / peak) * (HEIGHT - 2)));
      return floor[i];
    });
    return svg('path', { class: kind, d: area(ticks, period, heights) });
  });
  const grid = period.marks.map(({ at: x }) =>
    svg('line', {
      class: 'grid',
      x1: WIDTH * x,
      x2: WIDTH * x,
      y1: 0,
      y2: HEIGHT,
    }),
  );
  const cursor = [];
  if (moment) {
    const x = WIDTH * place(period, moment.until - moment.duration / 2);
    cursor.push(svg('line', { class: 'cursor', x1: x, x2: x, y1: 0, y2: HEIGHT }));
  }
  // What lies lower hides what it was stacked on.
  const base = svg('line', { class: 'base', x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT });
  chart.replaceChildren(...grid, ...shapes.reverse(), base, ...cursor);
  attribute(chart, 'aria-label', words);
}
