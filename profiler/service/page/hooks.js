// SPDX-License-Identifier: GPL-2.0-only
// Each hook, the way that it takes, and what speaks against the better ones.

import { byId, rows, text } from './dom.js';
import { plural, words } from './format.js';

const TRUTH = new Map([
  [true, 'alive'],
  [false, 'dead'],
  [null, 'cannot be told'],
]);

function state(hook, found) {
  if (hook.way === 'none') return 'not attached';
  return TRUTH.get(found?.alive ?? null);
}

function target(hook, found) {
  const reason = found?.reason ?? '';
  if (hook.way === 'none') return reason || 'not attached';
  const where =
    hook.symbol ?? [...new Set(hook.attachments.map((attachment) => attachment.target))].join(', ');
  return [where || 'nothing of its own', reason].filter(Boolean).join(': ');
}

const refused = (hook) => hook.refused.map(([way, why]) => `${way}: ${why}`).join('; ') || '–';

export function hooks(model) {
  const health = new Map(model.health.hooks.map((hook) => [hook.name, hook]));
  const { plan } = model.profile;
  const attached = plan.filter((hook) => hook.way !== 'none').length;
  const dead = model.health.hooks.filter((hook) => hook.alive === false);
  const names = dead.map((hook) => hook.name).join(', ');
  text(
    byId('hooks-words'),
    `${plural(attached, 'hook', 'hooks')} of ${plan.length} attached${dead.length ? `; dead: ${names}` : ''}`,
  );
  byId('hooks-words').classList.toggle('stuck', dead.length > 0);
  rows(
    byId('hooks-table').tBodies[0],
    plan.map((hook) => {
      const found = health.get(hook.name);
      // A way may be lost while the service runs: then health knows better than the plan.
      const now = { ...hook, way: found?.way ?? hook.way };
      return {
        key: hook.name,
        cells: [
          { text: words(hook.name), kind: 'name' },
          { text: now.way, name: 'way', kind: `way ${now.way}` },
          { text: state(now, found), name: 'state', kind: found?.alive === false ? 'stuck' : 'plain' },
          { text: target(now, found), name: 'target', kind: 'w' },
          { text: refused(hook), name: 'refused', kind: 'w soft' },
        ],
      };
    }),
  );
}
