// SPDX-License-Identifier: GPL-2.0-only
// What the colours stand for, where there are several.

import { el, keyed, svg } from './dom.js';

/** Kinds that occur among rows of figures, in the order in which they are told. */
export function occurring(told, all) {
  return Object.keys(told ?? {}).filter((kind) => all.some((figures) => figures && kind in figures.kinds));
}

export function legend(node, told, kinds) {
  keyed(
    node,
    kinds,
    (kind) => kind,
    (kind) =>
      el(
        'span',
        {},
        svg(
          'svg',
          { width: 10, height: 10, 'aria-hidden': true },
          svg('rect', { class: kind, width: 10, height: 10 }),
        ),
        ` ${told[kind]}`,
      ),
    () => {},
  );
}
