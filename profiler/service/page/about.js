// SPDX-License-Identifier: GPL-2.0-only
// The head of the page: what is being watched.

import { byId, el, keyed, text } from './dom.js';
import { count, duration, span } from './format.js';

export function about(model) {
  const { kernel, profile, until, seq, tickSeconds } = model;
  const size = kernel.fault_around_bytes;
  const around = size === null ? 'unknown (debugfs cannot be read)' : count(size);
  const facts = [
    ['kernel', `${kernel.release} ${kernel.machine}, fault_around_bytes ${around}`],
    ['scope', profile.scope.description],
    [
      'counted',
      `for ${span(until)}, in ${count(seq)} ticks of ${duration(tickSeconds * 1e9)}; attached in ` +
        `${duration(profile.attach_ns)}, begun ${profile.started_at} by the clock of the service`,
    ],
  ];
  keyed(
    byId('about'),
    facts,
    ([name]) => name,
    ([name]) => el('div', {}, el('dt', {}, name), el('dd')),
    (node, [, words]) => text(node.lastChild, words),
  );
  text(byId('version'), `Made by uffd-profiler ${profile.version}.`);
}
