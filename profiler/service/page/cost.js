// SPDX-License-Identifier: GPL-2.0-only
// What watching costs: the programs in the kernel, and the process that serves.

import { byId, el, keyed, rows, sentence, text } from './dom.js';
import { count, duration, mebibytes, NOTHING, percent, span } from './format.js';

const perRun = (seconds, runs) => (runs ? duration((seconds / runs) * 1e9) : NOTHING);
const share = (seconds, of) => (of > 0 ? percent(seconds / of) : NOTHING);
const seconds = (programs) => programs.reduce((sum, program) => sum + program.seconds, 0);

/** What was added between two costs; `null` when there is no earlier one. */
function since(before, now) {
  if (!before || !before.programs || !now.programs) return null;
  const known = new Map(before.programs.map((program) => [program.program, program]));
  return {
    over: now.since_seconds - before.since_seconds,
    of: new Map(
      now.programs.map((program) => {
        const earlier = known.get(program.program) ?? { runs: 0, seconds: 0 };
        return [
          program.program,
          { runs: program.runs - earlier.runs, seconds: program.seconds - earlier.seconds },
        ];
      }),
    ),
  };
}

function tiles(cost, before, last) {
  const over = before && cost.since_seconds - before.since_seconds;
  const found = [
    [
      'process',
      'serving process, share of one CPU',
      share(cost.cpu_seconds, cost.since_seconds),
      before
        ? `${share(cost.cpu_seconds - before.cpu_seconds, over)} in the last tick`
        : `${duration(cost.cpu_seconds * 1e9)} in all`,
    ],
    ['memory', 'resident memory', mebibytes(cost.resident_bytes), 'of the serving process'],
    ['since', 'attached', span(cost.since_seconds * 1e9), 'since it counts'],
  ];
  if (cost.programs) {
    found.unshift([
      'programs',
      'programs, share of one CPU',
      share(seconds(cost.programs), cost.since_seconds),
      last
        ? `${share(seconds([...last.of.values()]), last.over)} in the last tick`
        : 'last tick: not yet known',
    ]);
  }
  return found;
}

const number = (name, words) => ({ text: words, name, kind: 'n' });

export function cost(model) {
  const { cost: now, costBefore } = model;
  const last = since(costBefore, now);
  keyed(
    byId('cost-tiles'),
    tiles(now, costBefore, last),
    ([name]) => name,
    ([name, title]) =>
      el('div', { 'data-tile': name }, el('dt', {}, title), el('dd'), el('dd', { class: 'soft' })),
    (node, [, , value, remark]) => {
      text(node.children[1], value);
      text(node.children[2], remark);
    },
  );
  sentence(
    byId('cost-absent'),
    now.programs ? '' : 'programs: not available: the run statistics of this kernel are off',
  );
  byId('cost-table').parentElement.hidden = !now.programs?.length;
  rows(
    byId('cost-table').tBodies[0],
    (now.programs ?? []).map(({ program, hook, runs, seconds: spent }) => {
      const tick = last?.of.get(program);
      return {
        key: program,
        cells: [
          { text: program, kind: 'name' },
          { text: hook, kind: 'plain' },
          number('tick-runs', tick ? count(tick.runs) : NOTHING),
          number('tick-per-run', tick ? perRun(tick.seconds, tick.runs) : NOTHING),
          number('tick-share', tick ? share(tick.seconds, last.over) : NOTHING),
          number('runs', count(runs)),
          number('per-run', perRun(spent, runs)),
          number('share', share(spent, now.since_seconds)),
        ],
      };
    }),
  );
}
