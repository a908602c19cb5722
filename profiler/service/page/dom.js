// SPDX-License-Identifier: GPL-2.0-only
// Nodes are made once and then only filled: focus, selection and scroll position survive a tick.
// Foreign words get in as text, never as markup.

const SVG = 'http://www.w3.org/2000/svg';

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const el = (name, attributes = {}, ...children) =>
  build(document.createElement(name), attributes, children);

export const svg = (name, attributes = {}, ...children) =>
  build(document.createElementNS(SVG, name), attributes, children);

export const byId = (id) => document.getElementById(id);

export function text(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

export function attribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Show words, or hide the node that has none. */
export function sentence(node, words) {
  text(node, words);
  node.hidden = !words;
}

const kept = new WeakMap();

/** Children of `parent`, one per item: kept by key, made where new, removed where gone. */
export function keyed(parent, items, key, make, fill) {
  const before = kept.get(parent) ?? new Map();
  const now = new Map();
  let next = before.size ? before.values().next().value : null;
  for (const item of items) {
    const id = key(item);
    const node = before.get(id) ?? make(item);
    now.set(id, node);
    fill(node, item);
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
  for (const [id, node] of before) if (!now.has(id)) node.remove();
  kept.set(parent, now);
}

/**
 * Rows of a table body. A row is {key, cells}; a cell is a string, or {text, name, kind}: its name among the
 * figures, its class. The first one is the row's heading.
 */
export function rows(body, items) {
  keyed(
    body,
    items,
    (row) => row.key,
    (row) => {
      const tr = el('tr', { 'data-row': row.key });
      row.cells.forEach((_, i) => tr.append(i ? el('td') : el('th', { scope: 'row' })));
      return tr;
    },
    (tr, row) =>
      row.cells.forEach((cell, i) => {
        const node = tr.children[i];
        const { text: words = cell, name, kind } = cell;
        text(node, words);
        if (name) attribute(node, 'data-figure', name);
        if (kind) attribute(node, 'class', kind);
      }),
  );
}
