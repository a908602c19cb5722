// SPDX-License-Identifier: GPL-2.0-only
// The one moment that all charts look at: the latest tick, unless one is chosen by the slider or the pointer.

import { attribute, byId, text } from './dom.js';
import { before, span } from './format.js';
import { axis, nearest } from './timeaxis.js';

export class Moment {
  #changed;
  #session = null;
  #ticks = [];
  #pinned = null;
  #hovered = null;
  #slider = byId('moment');

  constructor(changed) {
    this.#changed = changed;
    this.#slider.addEventListener('input', () => {
      const tick = this.#ticks[Number(this.#slider.value)];
      this.#pinned = !tick || tick === this.#ticks.at(-1) ? null : tick.until;
      changed();
    });
    byId('latest').addEventListener('click', () => {
      this.#pinned = null;
      this.#slider.focus();
      changed();
    });
  }

  /** The tick looked at. */
  get tick() {
    const time = this.#hovered ?? this.#pinned;
    return this.#ticks.find((tick) => tick.until === time) ?? this.#ticks.at(-1) ?? null;
  }

  get isLatest() {
    return this.tick === this.#ticks.at(-1);
  }

  /** `last tick`, or how long before it. */
  get words() {
    return this.isLatest ? 'last tick' : before(this.#ticks.at(-1).until - this.tick.until);
  }

  /** Let the pointer choose over a chart whose width is that of the time axis. */
  follow(chart) {
    const tick = (event) => {
      const { left, width } = chart.getBoundingClientRect();
      const at = Math.min(1, Math.max(0, (event.clientX - left) / width));
      return this.#ticks.length ? nearest(this.#ticks, axis(this.#ticks), at).until : null;
    };
    const hover = (time) => {
      if (this.#hovered === time) return;
      this.#hovered = time;
      this.#changed();
    };
    chart.addEventListener('pointermove', (event) => hover(tick(event)));
    chart.addEventListener('pointerleave', () => hover(null));
    chart.addEventListener('click', (event) => {
      const time = tick(event);
      this.#pinned = time === this.#ticks.at(-1)?.until ? null : time;
      this.#changed();
    });
  }

  draw(model) {
    if (model.session !== this.#session) this.#pinned = this.#hovered = null;
    this.#session = model.session;
    this.#ticks = model.ticks;
    if (!this.#ticks.some((tick) => tick.until === this.#pinned)) this.#pinned = null;
    const last = this.#ticks.length - 1;
    attribute(this.#slider, 'max', Math.max(0, last));
    const index = this.tick ? this.#ticks.indexOf(this.tick) : 0;
    if (Number(this.#slider.value) !== index) this.#slider.value = index;
    const words = this.tick ? `${this.words}, ${span(this.tick.duration)}` : 'no tick yet';
    attribute(this.#slider, 'aria-valuetext', words);
    text(byId('moment-words'), words);
    byId('latest').disabled = this.#pinned === null;
  }
}
