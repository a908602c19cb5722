// SPDX-License-Identifier: GPL-2.0-only
// Distributions: a row per mode, reason or origin, with its bars and percentiles.

import { notes } from './absent.js';
import { bars, decades, draw } from './bars.js';
import { bucketWords } from './buckets.js';
import { choice } from './choice.js';
import { behind, cell } from './data.js';
import { byId, el, keyed, sentence, svg, text } from './dom.js';
import { add, buckets, nothing, quantile, total, used } from './figures.js';
import { atMost, count, duration, NOTHING } from './format.js';
import { legend, occurring } from './legend.js';
import { scale } from './timeaxis.js';
import { FAULT, keys, label, READ, RESOLVE, SHMEM, SWAP, VIEWS, WAIT } from './views.js';

const FAMILIES = [READ, WAIT, RESOLVE, FAULT, SWAP, SHMEM];
const QUANTILES = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p99', 0.99],
];
const START = 'start';
const WINDOW = 'window';
const TICK = 'tick';

/** Figures of one row in the time chosen. */
function figuresOf(model, moment, range, family, key) {
  if (range === START) return model.totals[family].get(key);
  const ticks = range === TICK ? [moment.tick].filter(Boolean) : model.ticks;
  return ticks.map((tick) => tick.figures[family]?.get(key) ?? nothing()).reduce(add, nothing());
}

const title = (name) => el('th', { scope: 'col', class: 'n', role: 'columnheader' }, name);
const figure = (name) => el('td', { class: 'n', role: 'cell', 'data-figure': name, 'data-label': name });

function block(view) {
  const names = ['count', 'mean', ...QUANTILES.map(([name]) => name), ...(view.waits ? ['waited'] : [])];
  const body = el('tbody');
  const ruler = svg('svg', { class: 'axis', 'aria-hidden': true });
  const foot = el(
    'tfoot',
    { 'aria-hidden': true },
    el('tr', {}, el('td'), el('td', { class: 'chart' }, ruler), el('td', { colspan: names.length })),
  );
  const head = el(
    'tr',
    { role: 'row' },
    el('th', { scope: 'col', role: 'columnheader' }, view.by.replace('uffd_', 'uffd ')),
    el('th', { scope: 'col', class: 'chart', role: 'columnheader' }, view.unit),
    ...names.map(title),
  );
  const table = el(
    'table',
    { class: 'lines', role: 'table' },
    el('caption', {}, view.title, el('span', { class: 'legend' })),
    el('thead', {}, head),
    body,
    foot,
  );
  const details = el('details', {}, el('summary', {}, 'The same as a table'));
  const node = el(
    'div',
    { class: 'view' },
    table,
    el('p', { class: 'none' }),
    el('p', { class: 'na' }),
    details,
  );
  return Object.assign(node, { parts: { table, body, ruler, details, names } });
}

function fillRow(node, { name, figures, limits, range, names, told = {} }) {
  const n = total(figures);
  const shown = {
    count: count(n),
    mean: n ? duration(figures.sum / n) : NOTHING,
    waited: figures.wait ? duration(figures.wait) : NOTHING,
    ...Object.fromEntries(
      QUANTILES.map(([q, at]) => [q, atMost(quantile(figures, at, limits), limits.at(-1))]),
    ),
  };
  text(node.children[0], name);
  draw(node.children[1].firstChild, {
    figures,
    limits,
    range,
    told,
    words: `${name}: ${shown.count} events, p50 ${shown.p50}, p90 ${shown.p90}, p99 ${shown.p99}`,
  });
  names.forEach((figureName, i) => text(node.children[2 + i], shown[figureName]));
}

function fillView(node, family, context) {
  const { model, moment, range, limits } = context;
  const { table, body, ruler, names } = node.parts;
  const view = VIEWS[family];
  const [, none, lacking] = node.children;
  const phrase = model.unavailable(family);
  const rows = phrase
    ? []
    : keys(view, model.totals[family]).map((key) => ({
        key: `${family}/${key}`,
        name: label(view, key),
        figures: figuresOf(model, moment, range, family, key),
      }));
  const span = limits && used(rows.map(({ figures }) => buckets(figures)));
  table.hidden = !span;
  legend(
    table.querySelector('.legend'),
    view.told,
    occurring(
      view.told,
      rows.map(({ figures }) => figures),
    ),
  );
  sentence(none, span ? '' : `${view.title}: ${phrase || (rows.length ? 'none in this time' : 'none yet')}`);
  none.className = phrase ? 'na' : 'none';
  sentence(
    lacking,
    phrase
      ? ''
      : [
          ...notes(model, family).map((one) => `${one.names}: ${one.phrase}`),
          ...((span && view.doubts?.(model.kernel)) || []),
        ].join('; '),
  );
  node.lastChild.hidden = !span;
  keyed(
    body,
    span ? rows : [],
    ({ key }) => key,
    ({ key }) =>
      el(
        'tr',
        { 'data-row': key, role: 'row' },
        el('th', { scope: 'row', role: 'rowheader' }),
        el('td', { class: 'chart', role: 'cell' }, bars()),
        ...names.map(figure),
      ),
    (tr, row) => fillRow(tr, { ...row, limits, range: span, names, told: view.told }),
  );
  if (span) ruler.replaceChildren(...scale({ marks: decades(limits, span) }));
}

function table(family, range) {
  return (model, moment) => {
    const view = VIEWS[family];
    const found = keys(view, model.totals[family]).flatMap((key) => {
      const { kinds } = figuresOf(model, moment, range(), family, key);
      return Object.entries(kinds).map(([kind, { buckets: values }]) => ({
        title: `${label(view, key)}${view.told ? `, ${view.told[kind]}` : ''}`,
        values,
      }));
    });
    const [first, last] = used(found.map(({ values }) => values)) ?? [0, -1];
    return {
      name: view.title,
      columns: [view.unit, ...found.map(({ title }) => title)],
      rows: Array.from({ length: last - first + 1 }, (_, i) => first + i).map((i) => ({
        key: i,
        cells: [bucketWords(model.limits, i), ...found.map(({ values }) => cell(count(values?.[i] ?? 0)))],
      })),
    };
  };
}

export function latency(moment, changed) {
  const range = choice(
    byId('latency-range'),
    'latency-range',
    [
      [START, 'since start'],
      [WINDOW, '15 minutes'],
      [TICK, 'one tick'],
    ],
    changed,
  );
  const views = FAMILIES.map((family) => {
    const node = block(VIEWS[family]);
    node.dataset.family = family;
    byId('latency-views').append(node);
    return { family, node, data: behind(node.parts.details, table(family, range)) };
  });
  return (model) => {
    for (const { family, node, data } of views) {
      fillView(node, family, { model, moment, range: range(), limits: model.limits });
      if (model.totals[family]) data(model, moment);
    }
  };
}
