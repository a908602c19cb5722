// SPDX-License-Identifier: GPL-2.0-only
// What the page shows of the families of counters: by which label, and in which colour.

export const READ = 'read_fault';
export const WAIT = 'userfault';
export const BEGUN = 'userfault_begun';
export const FAULT = 'page_fault';
export const SWAP = 'swap_fault';
export const SHMEM = 'shmem_swapin';
export const SWAP_READ = 'swap_read';
export const RESOLVE = 'resolve';

const OUTCOMES = {
  ran: 'ran',
  skipped: 'skipped',
  returned_early: 'skipped',
  not_entered: 'skipped',
  undetermined: 'other',
  not_applicable: 'other',
};

const SWAP_RESULTS = { minor: 'swap', major: 'fault', retried: 'other', poisoned: 'stuck', error: 'stuck' };

/** Kinds of the read path are classes of the style sheet; stacked in this order. */
export const KINDS = {
  ran: 'fault-around ran',
  skipped: 'skipped',
  other: 'undetermined or not applicable',
};

/**
 * `by`: the label that gives a row. `kind`: colour of a label set. `only`: label sets that count here.
 * `order`: of the rows; others follow. `told`: names of the kinds, where there are several. `counts`: what is counted, if not the events.
 * `doubts`: sentences on rows that cannot be told apart.
 */
export const VIEWS = {
  [READ]: {
    title: 'Read faults by uffd mode',
    unit: 'own time',
    noun: 'read faults',
    by: 'uffd_mode',
    kind: (labels) => OUTCOMES[labels.fault_around] ?? 'other',
    order: ['none', 'missing', 'wp', 'missing+wp', 'minor', 'missing+minor', 'wp+minor', 'missing+wp+minor'],
    waits: true,
    told: KINDS,
  },
  [WAIT]: {
    title: 'Resolved userfaults by reason',
    unit: 'whole wait',
    noun: 'userfaults',
    by: 'reason',
    kind: () => 'wait',
    only: (labels) => labels.result === 'resolved',
    order: ['missing', 'wp', 'minor'],
  },
  [BEGUN]: {
    title: 'Userfaults begun by reason',
    noun: 'userfaults',
    by: 'reason',
    kind: () => 'wait',
    order: ['missing', 'wp', 'minor'],
  },
  [FAULT]: {
    title: 'Page faults by origin',
    unit: 'own time',
    noun: 'page faults',
    by: 'origin',
    kind: () => 'fault',
    order: ['user', 'kernel', 'gup'],
    waits: true,
    names: { user: 'in user mode', kernel: 'in kernel mode', gup: 'by the kernel itself (get_user_pages)' },
  },
  [SWAP]: {
    title: 'Swap entries by kind',
    unit: 'time in do_swap_page',
    noun: 'swap entries',
    by: 'kind',
    kind: (labels) => SWAP_RESULTS[labels.result] ?? 'other',
    told: { swap: 'minor', fault: 'major', other: 'retried', stuck: 'poisoned or error' },
    order: [
      'swap_slot',
      'migration',
      'device',
      'hwpoison',
      'marker_uffd_wp',
      'marker_poison',
      'marker_guard',
      'swapin_error',
      'uffd_wp_special',
      'special',
      'other',
    ],
    names: {
      swap_slot: 'swap slots',
      migration: 'pages under migration',
      device: 'pages in a device',
      hwpoison: 'broken memory',
      marker_uffd_wp: 'markers: write-protected',
      marker_poison: 'markers: poison',
      marker_guard: 'markers: guard region',
      swapin_error: 'failed swap-ins',
      uffd_wp_special: 'write-protected, as patched',
      special: 'not told apart',
      other: 'others',
    },
    doubts: (kernel) => kernel.pte_doubts,
  },
  [SHMEM]: {
    title: 'Shared memory swapped in by result',
    unit: 'time of the swap-in',
    noun: 'swap-ins',
    by: 'result',
    kind: (labels) => SWAP_RESULTS[labels.result] ?? 'other',
    order: ['minor', 'major', 'error'],
    names: { minor: 'from the swap cache', major: 'read from swap', error: 'failed' },
  },
  [SWAP_READ]: {
    title: 'Pages read from swap',
    noun: 'pages',
    by: 'by',
    kind: () => 'swap',
    counts: (set) => set.sum_pages,
    order: ['swap_entry', 'shmem'],
    names: { swap_entry: 'for swap entries', shmem: 'for shared memory' },
  },
  [RESOLVE]: {
    title: 'Resolving ioctls by op',
    unit: 'time of the ioctl',
    noun: 'ioctls',
    by: 'op',
    kind: (labels) => (labels.result === 'ok' ? 'wait' : 'stuck'),
    told: { wait: 'ok', stuck: 'not ok' },
    order: ['copy', 'zeropage', 'wake', 'writeprotect', 'continue', 'poison', 'move'],
  },
};

export const label = (view, key) => view.names?.[key] ?? key;

/** Keys of a family's rows, in order. */
export function keys(view, rows) {
  const known = view.order.filter((key) => rows.has(key));
  return [...known, ...[...rows.keys()].filter((key) => !view.order.includes(key))];
}
