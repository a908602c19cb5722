// SPDX-License-Identifier: GPL-2.0-only
// The verdict per uffd mode, and the policy that fits.

import { byId, el, keyed, text } from './dom.js';
import { count } from './format.js';

const SIGNS = { ran: '▶', skipped: '»', 'not exercised': '?' };

const quoted = (names) => names.map((name) => `'${name}'`).join(' and ');

/** Which known policy the kernel follows, as the reports say it. */
export function sentence({ followed, fits, modes }) {
  if (!modes.length) {
    return 'cannot tell which policy this kernel follows: no registered region was exercised';
  }
  const over = `over the modes ${modes.join(', ')}`;
  if (followed) return `this kernel follows '${followed}' (${over})`;
  if (!fits.length) return `this kernel follows no known policy (${over})`;
  return `cannot tell which policy this kernel follows: ${quoted(fits)} agree ${over}`;
}

function figure(name, title) {
  return el('div', {}, el('dt', {}, title), el('dd', { 'data-figure': name }));
}

function card({ mode }) {
  return el(
    'li',
    { class: 'card', 'data-mode': mode },
    el('h3', {}, el('code', {}, mode)),
    el('p', { class: 'answer' }, el('span', { 'aria-hidden': true }), ' ', el('b')),
    el('p', { class: 'reason' }),
    el('dl', {}, figure('ran', 'ran'), figure('not_run', 'did not'), figure('mapped_pages', 'pages mapped')),
  );
}

function fill(model, node, verdict) {
  node.className = `card ${verdict.answer.replace(' ', '-')}`;
  text(node.querySelector('.answer span'), SIGNS[verdict.answer] ?? '');
  text(node.querySelector('.answer b'), verdict.answer);
  text(node.querySelector('.reason'), verdict.reason);
  const reads = model.unavailable('read_fault');
  const pages = model.unavailable('fault_around_run.sum') || model.unavailable('fault_around_run');
  for (const [name, phrase] of [
    ['ran', reads],
    ['not_run', reads],
    ['mapped_pages', pages],
  ]) {
    const value = verdict[name];
    const dd = node.querySelector(`[data-figure=${name}]`);
    text(dd, value === null ? phrase || 'not available' : count(value));
    dd.className = value === null ? 'words' : '';
  }
}

/** Says changes of an answer aloud, and nothing else. */
function announcer() {
  let before = null;
  return (verdicts) => {
    const now = new Map(verdicts.map(({ mode, answer }) => [mode, answer]));
    const changes = [...now].filter(([mode, answer]) => before && before.get(mode) !== answer);
    if (changes.length) {
      const words = changes.map(([mode, answer]) => `${mode}: ${answer}, was ${before.get(mode)}`);
      text(byId('announce'), `Verdict changed. ${words.join('. ')}.`);
    }
    before = now;
  };
}

export function verdict() {
  const announce = announcer();
  return (model) => {
    text(byId('policy'), `Policy: ${sentence(model.policy)}.`);
    keyed(
      byId('cards'),
      model.verdicts,
      ({ mode }) => mode,
      card,
      (node, one) => fill(model, node, one),
    );
    announce(model.verdicts);
  };
}
