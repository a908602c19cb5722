// SPDX-License-Identifier: GPL-2.0-only
// How numbers and times are written: the same everywhere on the page.

const UNITS = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
];
const THIN = '\u202f';

export const NOTHING = '–';

/** A count, exact, in groups of three digits. */
export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, THIN);

/** Events per second. */
export function rate(x) {
  if (x === 0 || x >= 10) return count(Math.round(x));
  return x >= 1 ? x.toFixed(1) : x.toPrecision(2);
}

const unit = (ns) => UNITS.find(([size]) => ns >= size) ?? UNITS.at(-1);

/** `ns` nanoseconds with three significant digits. */
export function duration(ns) {
  if (ns < 1) return `0${THIN}ns`;
  const rounded = Number(ns.toPrecision(3));
  const [size, name] = unit(rounded);
  const value = rounded / size;
  const decimals = size === 1 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(decimals) + THIN + name;
}

/** A boundary of a bucket: every digit. */
export function exact(ns) {
  const [size, name] = unit(ns);
  return ns / size + THIN + name;
}

/** A percentile: the boundary of its bucket; `above` the last boundary there is none. */
export function atMost(boundary, above) {
  if (boundary === null) return NOTHING;
  return boundary === Infinity ? `>${THIN}${exact(above)}` : `≤${THIN}${exact(boundary)}`;
}

/** A longer time, in two units: `3 h 12 min`. */
export function span(ns) {
  const whole = Math.floor(ns / 1e9);
  if (whole < 60) return duration(ns);
  const parts = [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ];
  const first = parts.findIndex(([size]) => whole >= size);
  return parts
    .slice(first, first + 2)
    .map(([size, name], i) => [Math.floor((i ? whole % parts[first][0] : whole) / size), name])
    .filter(([value]) => value)
    .map(([value, name]) => value + THIN + name)
    .join(' ');
}

/** How long before the latest tick. */
export function before(ns) {
  const whole = Math.round(ns / 1e9);
  if (whole < 60) return `−${whole}${THIN}s`;
  const rest = whole % 60;
  return `−${Math.floor(whole / 60)}${THIN}min` + (rest ? ` ${rest}${THIN}s` : '');
}

/** A share of one, in percent with two significant digits. */
export function percent(x) {
  const value = 100 * x;
  if (value === 0) return `0${THIN}%`;
  if (value < 0.001) return `<${THIN}0.001${THIN}%`;
  return (value >= 10 ? value.toFixed(0) : Number(value.toPrecision(2))) + THIN + '%';
}

export const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1) + THIN + 'MiB';

/** `returned_early` → `returned early`. */
export const words = (name) => name.replaceAll('_', ' ');

/** One thing, several things. */
export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
