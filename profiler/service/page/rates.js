// SPDX-License-Identifier: GPL-2.0-only
// Rates: a row per kind of event, with its chart over time and its exact counts.

import { notes } from './absent.js';
import { behind, cell } from './data.js';
import { byId, el, keyed, svg, text } from './dom.js';
import { total } from './figures.js';
import { before, count, rate } from './format.js';
import { legend, occurring } from './legend.js';
import { fill, line } from './line.js';
import { axis, scale } from './timeaxis.js';
import { BEGUN, FAULT, keys, label, READ, RESOLVE, SHMEM, SWAP, SWAP_READ, VIEWS } from './views.js';

const PER_SECOND = 1e9;

const GROUPS = [
  {
    family: FAULT,
    title: 'Page faults, on any memory',
    names: {
      user: 'raised in user mode',
      kernel: 'raised in kernel mode',
      gup: 'raised by the kernel itself (get_user_pages)',
    },
  },
  { family: READ, title: 'Read faults of shmem and files, by uffd mode' },
  { family: BEGUN, title: 'Userfaults begun, by reason' },
  { family: RESOLVE, title: 'Resolving ioctls, by op' },
  { family: SWAP, title: 'Swap entries, by kind' },
  { family: SHMEM, title: 'Shared memory swapped in, by result' },
  { family: SWAP_READ, title: 'Pages read from swap by faults' },
];

/** Rows of a family: those that ever had an event. */
function rowsOf(model, { family, names }) {
  const view = VIEWS[family];
  return keys(view, model.totals[family]).map((key) => ({
    key: `${family}/${key}`,
    label: names?.[key] ?? label(view, key),
    family,
    figures: model.totals[family].get(key),
    at: (tick) => tick.figures[family]?.get(key),
  }));
}

function group(model, { family, ...rest }) {
  const phrase = model.unavailable(family);
  const view = VIEWS[family];
  const rows = phrase ? [] : rowsOf(model, { family, ...rest });
  const lacking = phrase
    ? []
    : notes(model, family, 'fault_around').map(({ names, phrase: why }) => `${names}: ${why}`);
  const empty = phrase || rows.length ? '' : 'none yet';
  const silent = view.order.filter((key) => !rows.some((row) => row.key === `${family}/${key}`));
  const never = family === READ && rows.length && silent.length ? [`none in ${silent.join(', ')}`] : [];
  const told = occurring(
    view.told,
    rows.map((row) => row.figures),
  );
  return {
    key: family,
    title: rest.title,
    rows,
    told,
    words: [phrase, empty, ...never, ...lacking].filter(Boolean).join('; '),
  };
}

const figure = (name, label) =>
  el('td', { class: 'n', 'data-figure': name, 'data-label': label, role: 'cell' });

function makeRow(moment) {
  return (row) => {
    const chart = line();
    moment.follow(chart);
    return el(
      'tr',
      { 'data-row': row.key, role: 'row' },
      el('th', { scope: 'row', role: 'rowheader' }),
      el('td', { class: 'chart', role: 'cell' }, chart),
      figure('rate', 'rate'),
      figure('peak', 'peak'),
      figure('tick', 'in the tick'),
      figure('start', 'since start'),
    );
  };
}

function fillRow(node, row, { ticks, period, moment }) {
  const kinds = Object.keys(row.figures.kinds);
  const values = Object.fromEntries(
    kinds.map((kind) => [
      kind,
      ticks.map((tick) => ((row.at(tick)?.kinds[kind]?.count ?? 0) * PER_SECOND) / tick.duration),
    ]),
  );
  const sums = ticks.map((_, i) => kinds.reduce((sum, kind) => sum + values[kind][i], 0));
  const peak = Math.max(...sums, 0);
  const now = row.at(moment.tick) ? total(row.at(moment.tick)) : 0;
  const current = (now * PER_SECOND) / moment.tick.duration;
  const [name, chart, perSecond, most, tick, start] = node.children;
  text(name, row.label);
  text(perSecond, `${rate(current)}/s`);
  text(most, `${rate(peak)}/s`);
  text(tick, count(now));
  text(start, count(total(row.figures)));
  fill(chart.firstChild, {
    ticks,
    period,
    values,
    peak,
    moment: moment.isLatest ? null : moment.tick,
    words: `${row.label}: ${rate(current)} per second at the ${moment.words}, peak ${rate(peak)} per second`,
  });
}

function fillGroup(body, found, context, make) {
  const items = [
    { key: `${found.key}/`, title: found.title, words: found.words, told: found.told },
    ...found.rows,
  ];
  keyed(
    body,
    items,
    (item) => item.key,
    (item) => {
      if (!item.title) return make(item);
      const heading = el(
        'th',
        { scope: 'rowgroup', colspan: 6, role: 'rowheader' },
        item.title,
        el('span', { class: 'legend' }),
        el('span', { class: 'remark' }),
      );
      return el('tr', { class: 'group', role: 'row', 'data-group': found.key }, heading);
    },
    (node, item) => {
      if (item.title) {
        legend(node.querySelector('.legend'), VIEWS[found.key].told, item.told);
        text(node.querySelector('.remark'), item.words);
      } else fillRow(node, item, context);
    },
  );
}

function table(model) {
  const found = GROUPS.flatMap((one) =>
    group(model, one).rows.flatMap((row) => {
      const { told } = VIEWS[one.family];
      return Object.keys(row.figures.kinds).map((kind) => ({
        title: `${one.title}: ${row.label}${told ? `, ${told[kind]}` : ''}`,
        at: (tick) => row.at(tick)?.kinds[kind]?.count ?? 0,
      }));
    }),
  );
  const end = model.last?.until;
  return {
    name: 'Events per tick',
    columns: ['tick', ...found.map(({ title }) => title)],
    rows: model.ticks.toReversed().map((tick) => ({
      key: tick.until,
      cells: [
        tick.until === end ? 'last tick' : before(end - tick.until),
        ...found.map(({ at }) => cell(count(at(tick)))),
      ],
    })),
  };
}

export function rates(moment) {
  const place = byId('rates-table');
  const make = makeRow(moment);
  const ruler = svg('svg', { class: 'axis', 'aria-hidden': true });
  const foot = el(
    'tfoot',
    { 'aria-hidden': true },
    el('tr', {}, el('td'), el('td', { class: 'chart' }, ruler), el('td', { colspan: 4 })),
  );
  const data = behind(byId('rates-data'), table);
  for (const tr of place.tHead.rows) tr.setAttribute('role', 'row');
  return (model) => {
    data(model);
    const found = GROUPS.map((one) => group(model, one));
    const ready = model.ticks.length > 0;
    place.hidden = !ready;
    if (!ready) return;
    const period = axis(model.ticks);
    const context = { ticks: model.ticks, period, moment };
    text(byId('rates-tick'), moment.isLatest ? 'last tick' : `tick ${moment.words}`);
    keyed(
      place,
      [...found, { key: 'foot' }],
      ({ key }) => key,
      ({ key }) => (key === 'foot' ? foot : el('tbody')),
      (node, one) => {
        if (one.rows) fillGroup(node, one, context, make);
      },
    );
    ruler.replaceChildren(...scale(period));
  };
}
