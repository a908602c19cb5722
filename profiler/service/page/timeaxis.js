// SPDX-License-Identifier: GPL-2.0-only
// The time axis: it ends at the latest tick and is labelled from there. It has the shortest of a few lengths
// that holds all ticks, so that a young service is not a thin line at the edge.

import { svg } from './dom.js';
import { before } from './format.js';

const LENGTHS = [
  [60, 20],
  [120, 30],
  [300, 60],
  [600, 120],
  [900, 300],
];

/** {begin, span, marks} in ns; `marks` are {at, words}, `at` from 0 to 1. */
export function axis(ticks) {
  const end = ticks.at(-1).until;
  const covered = (end - ticks[0].until + ticks[0].duration) / 1e9;
  const [seconds, step] = LENGTHS.find(([length]) => covered <= length + 1) ?? LENGTHS.at(-1);
  const marks = [];
  for (let ago = seconds; ago > 0; ago -= step) {
    marks.push({ at: 1 - ago / seconds, words: before(ago * 1e9) });
  }
  return { begin: end - seconds * 1e9, span: seconds * 1e9, marks: [...marks, { at: 1, words: 'now' }] };
}

/** Where a time lies on the axis, from 0 to 1. */
export const place = ({ begin, span }, ns) => Math.min(1, Math.max(0, (ns - begin) / span));

/** The tick nearest to a place on the axis. */
export function nearest(ticks, { begin, span }, at) {
  const time = begin + at * span;
  return ticks.find((tick) => tick.until >= time) ?? ticks.at(-1);
}

/** Words below a chart. */
export function scale({ marks }) {
  return marks.map(({ at, words }) =>
    svg(
      'text',
      {
        x: `${(100 * at).toFixed(2)}%`,
        y: 12,
        'text-anchor': at < 0.04 ? 'start' : at > 0.96 ? 'end' : 'middle',
      },
      words,
    ),
  );
}
