// SPDX-License-Identifier: GPL-2.0-only
// How the page stands with the service: always in sight, and in words.

import { byId, sentence, text } from './dom.js';
import { span } from './format.js';

const SIGNS = {
  connecting: '…',
  attaching: '…',
  live: '●',
  degraded: '!',
  reconnecting: '↻',
  incompatible: '!',
};

function banner(link, state, model) {
  const { detail } = link;
  const before = model.session ? ' What is shown is from before' : '';
  const old = before && `${before}, ${seconds(performance.now() - link.heardAt)} old.`;
  const next = link.retryAt ? `Next try in ${seconds(link.retryAt - performance.now())}.` : 'Trying.';
  switch (state) {
    case 'attaching':
      return `${detail || 'The service is attaching its probes.'} The page goes on by itself.${before && `${before}.`}`;
    case 'reconnecting':
      return `${detail} ${next}${old}`;
    case 'degraded':
      return `Degraded: ${model.health.reason ?? 'a hook has died.'}`;
    case 'incompatible':
      return `${detail} Reload the page.`;
    case 'connecting':
      return detail;
    default:
      return '';
  }
}

function seconds(ms) {
  const whole = Math.max(1, Math.round(ms / 1000));
  return whole < 60 ? `${whole}\u202fs` : span(whole * 1e9);
}

export function connection(link) {
  const button = byId('retry');
  button.addEventListener('click', () => (link.state === 'incompatible' ? location.reload() : link.now()));
  return (model) => {
    const state = link.state === 'live' && !model.health.ready ? 'degraded' : link.state;
    document.body.dataset.state = state;
    const pill = byId('connection');
    text(pill.querySelector('.sign'), SIGNS[state]);
    text(pill.querySelector('.words'), state);
    const line = byId('banner');
    const words = banner(link, state, model);
    sentence(line.querySelector('.words'), words);
    line.hidden = !words;
    button.hidden = !['reconnecting', 'incompatible'].includes(state);
    text(button, state === 'incompatible' ? 'Reload' : 'Try now');
  };
}
