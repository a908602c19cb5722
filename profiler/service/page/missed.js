// SPDX-License-Identifier: GPL-2.0-only
// Events lost, by cause; runs of a program that the kernel left out.

import { byId, rows, sentence, text } from './dom.js';
import { count, plural, words } from './format.js';

const WHAT = {
  threads_full: 'more threads faulted at once than there is room for',
  processes_full: 'a fork could not be followed: too many processes',
  waiting_full: 'no room in the table of waiting threads',
  vma_unknown: 'the region of a fault was not found',
  return_lost: 'a probe lost the return of its function',
  ioctl_return_lost: 'the same of an ioctl that resolves: no matter for the verdict',
  swap_return_lost: 'the same of a swap-in: no matter for the verdict',
};

const number = (name, n) => ({ text: count(n), name, kind: n ? 'n lost' : 'n' });

export function missed(model) {
  const now = model.last?.missed;
  const tick = new Map(now?.recursion.map(({ program, count: n }) => [program, n]));
  const causes = Object.entries(model.missed.causes).map(([cause, n]) => ({
    key: cause,
    n,
    cells: [words(cause), WHAT[cause] ?? '', number('tick', now?.causes[cause] ?? 0), number('start', n)],
  }));
  const told = model.missed.recursion.filter((entry) => entry.count !== null);
  const recursion = told.map(({ program, hook, count: n }) => ({
    key: `recursion/${program}`,
    n,
    cells: [
      `recursion in ${program}`,
      `hook ${hook}`,
      number('tick', tick.get(program) ?? 0),
      number('start', n),
    ],
  }));
  const found = [...causes, ...recursion];
  const all = found.reduce((sum, { n }) => sum + n, 0);
  text(
    byId('missed-words'),
    all ? `${plural(all, 'event', 'events')} missed since start` : 'none since start',
  );
  byId('missed-words').classList.toggle('stuck', all > 0);
  rows(byId('missed-table').tBodies[0], found);
  const silent = model.missed.recursion.filter((entry) => entry.count === null).map((entry) => entry.program);
  const which = told.length ? ` of ${silent.join(', ')}` : '';
  sentence(
    byId('missed-silent'),
    silent.length ? `recursion misses${which}: not available: this kernel does not tell` : '',
  );
}
