// SPDX-License-Identifier: GPL-2.0-only
// What is known of the service: figures since its start, and the ticks of the last 15 minutes.
// Its times count from its own beginning; the clock of this machine is not asked.

import { accumulate, digest, limits } from './digest.js';

export const HISTORY_SCHEMA = 'uffd-profiler/history/1';
export const PROFILE_SCHEMA = 'uffd-profiler/profile/2';
export const WINDOW_NS = 900e9;
const MOST_TICKS = 2000;

export class WrongSchema extends Error {}

export class Model {
  session = null;
  seq = 0;
  tickSeconds = 5;
  ticks = [];

  get last() {
    return this.ticks.at(-1) ?? null;
  }

  /** Nanoseconds since the service began to count. */
  get until() {
    return this.last?.until ?? this.profile.duration_ns;
  }

  /** Everything anew. Throws WrongSchema when this page is not of the service's version. */
  load(history) {
    const { profile } = history;
    for (const [found, known] of [
      [history.schema, HISTORY_SCHEMA],
      [profile?.schema, PROFILE_SCHEMA],
    ]) {
      if (found !== known) throw new WrongSchema(`The service speaks ${found}, this page ${known}.`);
    }
    const { families, intervals, verdicts, policy, kernel, missed, waiting, ...facts } = profile;
    Object.assign(this, {
      session: history.session,
      seq: history.seq,
      tickSeconds: history.tick_seconds,
      profile: facts,
      limits: limits(families),
      totals: digest(families),
      verdicts,
      policy,
      kernel,
      missed: structuredClone(missed),
      waiting,
      health: history.health,
      cost: history.cost,
      costBefore: null,
      ticks: [],
    });
    intervals.forEach((interval) => this.#keep(interval, digest(interval.families)));
  }

  /** Add the next tick. Returns false when one before it was missed, or the service was restarted. */
  add(tick) {
    if (tick.session !== this.session || tick.seq > this.seq + 1) return false;
    if (tick.seq <= this.seq) return true;
    const { interval } = tick;
    const figures = digest(interval.families);
    this.seq = tick.seq;
    this.limits ??= limits(interval.families);
    accumulate(this.totals, figures);
    this.#miss(interval.missed);
    Object.assign(this, {
      verdicts: tick.verdicts,
      policy: tick.policy,
      kernel: tick.kernel,
      waiting: interval.waiting,
      health: tick.health,
      cost: tick.cost,
      costBefore: this.cost,
    });
    this.#keep(interval, figures);
    return true;
  }

  /** The phrase that stands in the place of a figure, or nothing. */
  unavailable(name) {
    return this.profile.unavailable[name] ?? '';
  }

  #keep(interval, figures) {
    this.ticks.push({
      until: interval.until_ns,
      duration: interval.duration_ns,
      figures,
      missed: interval.missed,
      waiting: interval.waiting?.count ?? null,
    });
    const oldest = interval.until_ns - WINDOW_NS;
    while (this.ticks[0].until <= oldest || this.ticks.length > MOST_TICKS) this.ticks.shift();
  }

  #miss(more) {
    for (const [cause, n] of Object.entries(more.causes)) {
      this.missed.causes[cause] = (this.missed.causes[cause] ?? 0) + n;
    }
    const known = new Map(this.missed.recursion.map((entry) => [entry.program, entry]));
    for (const entry of more.recursion) {
      const before = known.get(entry.program);
      if (!before) this.missed.recursion.push({ ...entry });
      else if (entry.count !== null) before.count = (before.count ?? 0) + entry.count;
    }
  }
}
