// SPDX-License-Identifier: GPL-2.0-only
// Latency over time: a column per tick, a row per bucket, the colour says how many.

import { bucketWords } from './buckets.js';
import { choice } from './choice.js';
import { behind, cell } from './data.js';
import { byId, el, keyed, sentence, svg, text } from './dom.js';
import { add, buckets, nothing, total, used } from './figures.js';
import { before, count, exact, plural } from './format.js';
import { axis, place, scale } from './timeaxis.js';
import { FAULT, keys, label, READ, VIEWS, WAIT } from './views.js';

const STEPS = 7;
const HEIGHT = 288;
const ALL = '*';
const FAMILIES = [
  [READ, 'read faults'],
  [WAIT, 'userfault waits'],
  [FAULT, 'page faults'],
];

/** Step of the colour scale, from 1; each step is the same factor. */
export const step = (n, most) =>
  most <= 1 ? 1 : 1 + Math.min(STEPS - 1, Math.floor((STEPS * Math.log(n)) / Math.log(most + 1)));

function pick(rows, key) {
  if (!rows) return nothing();
  const chosen = key === ALL ? [...rows.values()] : [rows.get(key) ?? nothing()];
  return chosen.reduce(add, nothing());
}

/** Columns of the period, the rows in use since the start, and the fullest cell. */
function cells(model, family, key) {
  const whole = pick(model.totals[family], key);
  const range = model.limits && used([buckets(whole)]);
  const columns = model.ticks.map((tick) => {
    const figures = pick(tick.figures[family], key);
    return { tick, count: total(figures), values: buckets(figures) };
  });
  const most = Math.max(1, ...columns.flatMap(({ values }) => values ?? []));
  return { range, columns, most };
}

function paint(canvas, colours, { range: [first, last], columns, most }, period) {
  const ratio = devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(HEIGHT * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext('2d');
  pen.clearRect(0, 0, width, height);
  const edge = (row) => Math.round((height * row) / (last - first + 1));
  for (const { tick, values } of columns) {
    const left = Math.round(width * place(period, tick.until - tick.duration));
    const right = Math.max(left + 1, Math.round(width * place(period, tick.until)));
    values?.forEach((n, i) => {
      if (!n) return;
      const row = last - i;
      pen.fillStyle = colours[step(n, most) - 1];
      pen.fillRect(left, edge(row), right - left, edge(row + 1) - edge(row));
    });
  }
}

/** Every boundary that finds room, at its exact height. */
function ladder(limits, [first, last]) {
  const high = HEIGHT / (last - first + 1);
  const every = Math.max(1, Math.ceil(15 / high));
  const found = [];
  for (let i = first; i <= Math.min(last, limits.length - 1); i += 1) {
    if ((last - i) % every) continue;
    const y = (last - i) * high;
    found.push(svg('text', { x: '100%', dx: -6, y: y + 4, 'text-anchor': 'end' }, exact(limits[i])));
    found.push(svg('line', { class: 'grid', x1: '97%', x2: '100%', y1: y, y2: y }));
  }
  return found;
}

function plot(holder, moment) {
  const canvas = el('canvas', { role: 'img' });
  const lines = svg('svg', { class: 'over', 'aria-hidden': true });
  const ranks = svg('svg', { class: 'ladder', 'aria-hidden': true });
  const ruler = svg('svg', { class: 'axis', 'aria-hidden': true });
  const chart = el('div', { class: 'cells' }, canvas, lines);
  const key = el('p', { class: 'ramp' });
  holder.append(ranks, chart, el('span'), ruler, el('span'), key);
  moment.follow(chart);
  return { canvas, lines, ranks, ruler, key };
}

function ramp(node, most) {
  const swatches = Array.from({ length: STEPS }, (_, i) => i + 1).filter((n) => n === 1 || most > 1);
  keyed(
    node,
    ['from', ...swatches, 'to'],
    (item) => item,
    (item) => (typeof item === 'number' ? el('i', { class: `h${item}`, 'aria-hidden': true }) : el('span')),
    (one, item) => {
      if (item === 'from') text(one, '1');
      if (item === 'to') text(one, most > 1 ? `${count(most)} events in a cell` : 'event in a cell');
    },
  );
}

function readout(model, found, moment, noun) {
  const column = found.columns.find(({ tick }) => tick === moment.tick);
  if (!column) return '';
  const parts = (column.values ?? []).flatMap((n, i) =>
    n ? [`${count(n)} in ${bucketWords(model.limits, i)}`] : [],
  );
  const when = moment.isLatest ? 'Last tick' : moment.words;
  return `${when}: ${count(column.count)} ${noun}${parts.length ? `: ${parts.join(', ')}` : ''}.`;
}

function describe(model, { range: [first, last], columns, most }, noun) {
  const all = columns.reduce((sum, column) => sum + column.count, 0);
  const low = first ? exact(model.limits[first - 1]) : '0';
  const high = last < model.limits.length ? exact(model.limits[last]) : 'above every boundary';
  const extent = `${plural(all, 'event', 'events')} (${noun}) in ${plural(columns.length, 'tick', 'ticks')}`;
  return `Heat map: ${extent}, from ${low} to ${high}, at most ${count(most)} in a cell`;
}

export function heat(moment, changed) {
  const family = choice(byId('heat-family'), 'heat-family', FAMILIES, changed);
  const select = byId('heat-key');
  select.addEventListener('change', changed);
  const holder = byId('heat-plot');
  const parts = plot(holder, moment);
  const empty = el('p', { class: 'none' });
  holder.after(empty);
  new ResizeObserver(changed).observe(holder);
  const chosen = () => select.value || ALL;
  const data = behind(byId('heat-data'), (model) => {
    const { range, columns } = cells(model, family(), chosen());
    const [first, last] = range ?? [0, -1];
    const indices = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return {
      name: 'Events per tick and bucket',
      columns: ['tick', 'all', ...indices.map((i) => bucketWords(model.limits, i))],
      rows: columns.toReversed().map(({ tick, count: all, values }) => ({
        key: tick.until,
        cells: [
          tick === model.last ? 'last tick' : before(model.last.until - tick.until),
          cell(count(all)),
          ...indices.map((i) => cell(count(values?.[i] ?? 0))),
        ],
      })),
    };
  });
  return (model) => {
    const view = VIEWS[family()];
    const rows = model.totals[family()];
    const options = [
      [ALL, `every ${{ uffd_mode: 'uffd mode', reason: 'reason', origin: 'origin' }[view.by]}`],
      ...(rows ? keys(view, rows).map((key) => [key, label(view, key)]) : []),
    ];
    keyed(
      select,
      options,
      ([key]) => `${family()} ${key}`,
      ([key]) => el('option', { value: key }),
      (node, [, words]) => text(node, words),
    );
    const found = cells(model, family(), chosen());
    data(model);
    const shown = rows && found.range && found.columns.length;
    holder.hidden = !shown;
    const phrase = rows ? 'none yet' : model.unavailable(family()) || 'not available';
    sentence(empty, shown ? '' : phrase);
    sentence(byId('heat-readout'), shown ? readout(model, found, moment, view.noun) : '');
    if (!shown) return;
    const style = getComputedStyle(holder);
    const colours = Array.from({ length: STEPS }, (_, i) => style.getPropertyValue(`--heat-${i + 1}`));
    const period = axis(model.ticks);
    paint(parts.canvas, colours, found, period);
    parts.canvas.setAttribute('aria-label', describe(model, found, view.noun));
    parts.ranks.replaceChildren(...ladder(model.limits, found.range));
    parts.ruler.replaceChildren(...scale(period));
    ramp(parts.key, found.most);
    const { tick } = moment;
    parts.lines.replaceChildren(
      ...(moment.isLatest
        ? []
        : [
            svg('rect', {
              class: 'cursor',
              y: 0,
              height: '100%',
              x: `${100 * place(period, tick.until - tick.duration)}%`,
              width: `${(100 * tick.duration) / period.span}%`,
            }),
          ]),
    );
  };
}
