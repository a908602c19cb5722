// SPDX-License-Identifier: GPL-2.0-only
// Threads inside handle_userfault at the end of the last tick.

import { byId, el, rows, sentence, svg, text } from './dom.js';
import { count, duration, plural, span } from './format.js';
import { fill, line } from './line.js';
import { axis, scale } from './timeaxis.js';

const MOST_ROWS = 200;

export const age = (ns) => (ns < 60e9 ? duration(ns) : span(ns));

function headline(model) {
  if (!model.waiting) return model.unavailable('userfault') || 'not available';
  const { count: all, threads } = model.waiting;
  if (!all) return 'none';
  const oldest = threads.length ? `, the oldest for ${age(threads[0].age_ns)}` : '';
  return `${plural(all, 'thread waits', 'threads wait')}${oldest}`;
}

const row = (thread) => ({
  key: `${thread.pid}/${thread.tid}/${thread.address}`,
  cells: [
    `${thread.pid}/${thread.tid}`,
    { text: age(thread.age_ns), name: 'age', kind: 'n' },
    { text: thread.reason, name: 'reason' },
    { text: thread.backing, name: 'backing' },
    { text: thread.address, name: 'address', kind: 'address' },
  ],
});

export function waiting(moment) {
  const chart = line();
  const ruler = svg('svg', { class: 'axis', 'aria-hidden': true });
  const figure = byId('waiting-figure');
  figure.querySelector('.plot').append(chart, ruler);
  moment.follow(chart);
  return (model) => {
    const { ticks } = model;
    text(byId('waiting-words'), headline(model));
    byId('waiting-words').classList.toggle('stuck', Boolean(model.waiting?.count));
    const threads = (model.waiting?.threads ?? []).slice(0, MOST_ROWS);
    rows(byId('waiting-table').tBodies[0], threads.map(row));
    byId('waiting-table').parentElement.hidden = !threads.length;
    const more = (model.waiting?.count ?? 0) - threads.length;
    sentence(byId('waiting-note'), more > 0 ? `${count(more)} of them are not in the table.` : '');
    const values = ticks.map((tick) => tick.waiting ?? 0);
    const peak = Math.max(...values, 0);
    figure.hidden = !model.waiting || !peak;
    if (figure.hidden) return;
    const period = axis(ticks);
    text(
      byId('waiting-peak'),
      `at most ${count(peak)}${moment.isLatest ? '' : `; ${count(moment.tick.waiting ?? 0)} at ${moment.words}`}`,
    );
    fill(chart, {
      ticks,
      period,
      values: { stuck: values },
      peak,
      moment: moment.isLatest ? null : moment.tick,
      words: `Threads waiting at the end of each tick: ${count(values.at(-1))} now, at most ${count(peak)}`,
    });
    ruler.replaceChildren(...scale(period));
  };
}
