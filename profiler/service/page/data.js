// SPDX-License-Identifier: GPL-2.0-only
// The table behind a chart, for those who cannot see it. It is made only while it is open.

import { el, keyed, rows, text } from './dom.js';

/** `make(model, moment)` → {name, columns, rows}, rows as in dom.js. */
export function behind(details, make) {
  const scroll = el('div', { class: 'scroll tall', tabindex: 0, role: 'region' });
  const head = el('tr');
  const body = el('tbody');
  scroll.append(el('table', {}, el('thead', {}, head), body));
  details.append(scroll);
  let latest = [];
  const fill = () => {
    if (!details.open || !latest.length) return;
    const found = make(...latest);
    scroll.setAttribute('aria-label', found.name);
    const columns = found.columns.map((title, i) => ({ title, i, key: `${i} ${title}` }));
    keyed(
      head,
      columns,
      ({ key }) => key,
      ({ i }) => el('th', { scope: 'col', class: i ? 'n' : '' }),
      (th, { title }) => text(th, title),
    );
    // Other columns are another table: its rows would not fit.
    const shape = columns.map(({ key }) => key).join();
    rows(
      body,
      found.rows.map((row) => ({ ...row, key: `${row.key}|${shape}` })),
    );
  };
  details.addEventListener('toggle', fill);
  return (...now) => {
    latest = now;
    fill();
  };
}

export const cell = (words) => ({ text: words, kind: 'n' });
