// SPDX-License-Identifier: GPL-2.0-only
// What is not available, in words: never a 0.

import { words } from './format.js';

const NAMES = { gup: 'raised by the kernel itself (get_user_pages)' };

/** Label values of a family that a way cannot give → [{names, phrase}], but for those of the label `but`. */
export function notes(model, family, but = '') {
  const found = new Map();
  for (const [name, phrase] of Object.entries(model.profile.unavailable)) {
    const [, of, axis, value] = name.match(/^(\w+)\{(\w+)=(.+)\}$/) ?? [];
    if (of !== family || axis === but) continue;
    // Told apart in better words: nothing is lacking.
    if (axis === 'fault_around' && value === 'skipped') continue;
    const names = found.get(phrase) ?? [];
    found.set(phrase, [...names, NAMES[value] ?? `'${words(value)}'`]);
  }
  return [...found].map(([phrase, names]) => ({ names: names.join(' and '), phrase }));
}
