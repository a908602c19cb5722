// SPDX-License-Identifier: GPL-2.0-only
// The connection: history once, then the stream; history again when ticks were missed or the service is
// another one. Everything is timed by timers, never by the clock.

import { WrongSchema } from './model.js';

const FIRST_MS = 1000;
const MOST_MS = 30_000;
const PATIENCE_MS = 20_000;
const MOST_EARLY = 64;

const json = (event) => JSON.parse(event.data);

/** Words of a refusal: those of the problem document, else the status. */
async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  return problem.detail ?? problem.title ?? `The service answers ${response.status}.`;
}

export class Link {
  /** `connecting`, `attaching`, `live`, `reconnecting` or `incompatible`. */
  state = 'connecting';
  detail = '';
  /** performance.now() of the next try, and of the last sign of life. */
  retryAt = 0;
  heardAt = performance.now();

  #model;
  #changed;
  #source = null;
  #said = '';
  #silent = false;
  #attempts = 0;
  #retry = 0;
  #reload = 0;
  #watch = 0;
  #loading = false;
  #early = [];

  constructor(model, changed) {
    this.#model = model;
    this.#changed = changed;
    addEventListener('online', () => this.now());
    document.addEventListener('visibilitychange', () => document.hidden || this.now());
  }

  start() {
    this.#open();
    this.#load();
  }

  /** Do not wait for the next try. */
  now() {
    if (this.state !== 'reconnecting' || !this.#retry) return;
    this.#again();
  }

  #enter(state, detail = '') {
    this.state = state;
    this.detail = detail;
    this.#changed();
  }

  #open() {
    this.#source = new EventSource('api/v1/stream');
    this.#source.addEventListener('hello', (event) => this.#hello(json(event)));
    this.#source.addEventListener('tick', (event) => this.#tick(json(event)));
    this.#source.addEventListener('error', () => this.#lost('The service does not answer.'));
    this.#alive();
  }

  /** A sign of life; without the next one in time the connection is taken for dead. */
  #alive() {
    this.heardAt = performance.now();
    clearTimeout(this.#watch);
    const patience = Math.max(PATIENCE_MS, 4000 * this.#model.tickSeconds);
    this.#watch = setTimeout(() => this.#lost('The service has fallen silent.'), patience);
  }

  #lost(detail) {
    if (this.state === 'incompatible') return;
    this.#stop();
    this.#silent = !this.#said;
    this.#said = '';
    const wait = Math.min(MOST_MS, FIRST_MS * 2 ** this.#attempts++) * (0.75 + Math.random() / 2);
    this.retryAt = performance.now() + wait;
    this.#retry = setTimeout(() => this.#again(), wait);
    this.#enter('reconnecting', detail);
  }

  #again() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    this.retryAt = 0;
    this.#changed();
    this.#open();
    // A stream that said nothing at all may be held back by a proxy: then history alone keeps the page alive.
    if (this.#silent || !this.#model.session) this.#load();
  }

  #stop() {
    this.#source.close();
    for (const timer of [this.#watch, this.#retry, this.#reload]) clearTimeout(timer);
  }

  #hello({ session, seq, state }) {
    this.#alive();
    this.#said = state;
    if (state === 'attaching') {
      this.#enter('attaching');
      this.#load();
    } else if (session !== this.#model.session || seq !== this.#model.seq) this.#load();
    else this.#enter('live');
  }

  #tick(tick) {
    this.#alive();
    this.#attempts = 0;
    if (this.#loading) {
      this.#early.push(tick);
      if (this.#early.length > MOST_EARLY) this.#early.shift();
    } else if (this.#model.session && this.#model.add(tick)) this.#enter('live');
    else this.#load();
  }

  async #load() {
    if (this.#loading) return;
    this.#loading = true;
    this.#early = [];
    clearTimeout(this.#reload);
    try {
      const response = await fetch('api/v1/history', {
        cache: 'no-store',
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (response.status === 503) this.#later(response, await refusal(response));
      else if (!response.ok) this.#lost(await refusal(response));
      else this.#loaded(await response.json());
    } catch (error) {
      if (error instanceof WrongSchema) this.#refuse(error.message);
      else this.#lost('The service does not answer.');
    } finally {
      this.#loading = false;
    }
  }

  /** Not now, says the service; that is no reason to give up the stream. */
  #later(response, detail) {
    if (this.#source.readyState === EventSource.CLOSED) return;
    this.#alive();
    this.#enter(this.#said === 'attaching' ? 'attaching' : 'connecting', detail);
    this.#loadIn(1000 * Math.min(30, Math.max(1, Number(response.headers.get('retry-after')) || 2)));
  }

  #loaded(history) {
    this.#model.load(history);
    if (!this.#early.every((tick) => this.#model.add(tick))) this.#loadIn(FIRST_MS);
    else if (this.#said) this.#enter('live');
    else this.#changed();
  }

  #loadIn(wait) {
    clearTimeout(this.#reload);
    this.#reload = setTimeout(() => this.#load(), wait);
  }

  #refuse(detail) {
    this.#stop();
    this.#enter('incompatible', detail);
  }
}
