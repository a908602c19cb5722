// SPDX-License-Identifier: GPL-2.0-only
// Puts the parts together. Whatever changes, everything is drawn again in the next frame; a hidden page draws
// nothing.

import { about } from './about.js';
import { connection } from './connection.js';
import { cost } from './cost.js';
import { heat } from './heat.js';
import { hooks } from './hooks.js';
import { latency } from './latency.js';
import { Link } from './link.js';
import { missed } from './missed.js';
import { Model } from './model.js';
import { Moment } from './moment.js';
import { rates } from './rates.js';
import { verdict } from './verdict.js';
import { waiting } from './waiting.js';

const SECOND_MS = 1000;

let frame = 0;
const changed = () => {
  frame ||= requestAnimationFrame(draw);
};

const model = new Model();
const link = new Link(model, changed);
const moment = new Moment(changed);
const standing = connection(link);
const panels = [
  about,
  (known) => moment.draw(known),
  verdict(),
  rates(moment),
  waiting(moment),
  heat(moment, changed),
  latency(moment, changed),
  hooks,
  cost,
  missed,
];

function draw() {
  frame = 0;
  standing(model);
  document.body.classList.toggle('empty', !model.session);
  if (!model.session) return;
  for (const panel of panels) {
    try {
      panel(model);
    } catch (error) {
      // One panel that fails does not take the others with it.
      reportError(error);
    }
  }
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
setInterval(() => link.state === 'live' || standing(model), SECOND_MS);
link.start();
changed();
