// SPDX-License-Identifier: GPL-2.0-only
// A choice of one of a few, as radio buttons side by side.

import { el } from './dom.js';

/** `options`: [[value, words]]. Returns a function that gives the chosen value. */
export function choice(fieldset, name, options, changed) {
  for (const [value, words] of options) {
    const input = el('input', { type: 'radio', name, value });
    input.checked = value === options[0][0];
    input.addEventListener('change', changed);
    fieldset.append(el('label', {}, input, el('span', {}, words)));
  }
  return () => fieldset.querySelector(':checked').value;
}
