// SPDX-License-Identifier: GPL-2.0-only
// Names of buckets.

import { exact } from './format.js';

/** Bucket `i` in words: `1 µs to 2 µs`, the upper boundary included. */
export function bucketWords(limits, i) {
  if (i >= limits.length) return `more than ${exact(limits.at(-1))}`;
  return i ? `${exact(limits[i - 1])} to ${exact(limits[i])}` : `up to ${exact(limits[0])}`;
}
