// Figures of a trace. Pure.

import { excess, frameRate, gaps, meanRate, rateAfter, steadyAfter } from '../../../tests/browser/harness/flow.js';
import { percentile } from '../numbers.js';

/** A time without a new frame that counts as a freeze, ms. */
const FREEZE = 500;
/** The part of the rate before that counts as recovered. */
const RECOVERED = 0.7;

/**
 * @param {import('./measure.js').Trace} trace
 */
export function figures(trace) {
  const { first, loaded, from, to, frames, presses, steps, seconds, still } = trace;
  const freezes = first === null ? [] : gaps(frames, from, to, FREEZE);
  const clicks = presses.flatMap(({ at, seen }) => (seen === null ? [] : seen - at));
  return {
    first,
    loaded,
    fps: frameRate(frames, from, to),
    p50: percentile(clicks, 50),
    p95: percentile(clicks, 95),
    unseen: presses.length - clicks.length,
    freezes: freezes.length,
    longest: Math.max(0, ...freezes.map(({ ms }) => ms)),
    offered: meanRate(seconds, 'offered'),
    carried: meanRate(seconds, 'carried'),
    excess: excess(seconds),
    still,
    after: steps.filter(({ is }) => is !== 'gone').map(step => ({ is: step.is, ms: after(trace, step) })),
  };
}

/**
 * How long after a step the picture ran steadily again, before the next one; where the line got better, also until it
 * carried most of what it had carried at first. null: it did not.
 *
 * @param {import('./measure.js').Trace} trace @param {import('./measure.js').Trace['steps'][number]} step
 */
function after({ from, to, frames, seconds, steps }, step) {
  const [one] = steps;
  const next = steps.find(({ at }) => at > step.at)?.at ?? to;
  const steady = steadyAfter(frames, step.at, next);
  if (step.is === 'worse' || steady === null) return steady;
  // The first seconds are those in which a rate is found.
  const before = seconds.filter(({ at }) => at > from + 4_000 && at <= one.at);
  const usual = before.reduce((all, { carried }) => all + carried, 0) / before.length;
  const back = rateAfter(seconds, step.at, usual * RECOVERED);
  return back === null ? null : Math.max(steady, back);
}
