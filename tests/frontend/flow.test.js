// The figures that tests and benchmarks of bad lines make of their traces.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  excess,
  frameRate,
  gaps,
  longestGap,
  meanRate,
  rateAfter,
  steadyAfter,
} from '../browser/harness/flow.js';

/** Frames every 100 ms, without those between. @param {number} from @param {number} to @param {...[number, number]} without */
const every100 = (from, to, ...without) =>
  Array.from({ length: (to - from) / 100 }, (_, i) => from + i * 100).filter(
    at => !without.some(([a, b]) => at > a && at < b),
  );

test('a time without frames is found wherever it lies', () => {
  const frames = every100(1000, 10_000, [3000, 4000]);
  assert.deepEqual(gaps(frames, 1000, 9950, 500), [{ at: 3000, ms: 1000 }]);
  assert.deepEqual(gaps(frames, 0, 12_000, 500), [
    { at: 0, ms: 1000 },
    { at: 3000, ms: 1000 },
    { at: 9900, ms: 2100 },
  ]);
  assert.deepEqual(gaps([], 0, 5000, 500), [{ at: 0, ms: 5000 }]);
  assert.equal(longestGap(frames, 1000, 9950), 1000);
  assert.equal(longestGap([], 0, 700), 700);
  assert.equal(frameRate(frames, 5000, 7000), 10);
});

test('a picture is steady when it stays so', () => {
  assert.equal(steadyAfter(every100(0, 10_000), 1000, 9900), 0);
  assert.equal(steadyAfter(every100(0, 10_000, [1000, 2500]), 1050, 9900), 1450);
  // Back for a moment only, and then for good.
  assert.equal(steadyAfter(every100(0, 10_000, [1000, 2500], [3000, 4000]), 1050, 9900), 2950);
  // What happens after it was steady for long enough is another matter.
  assert.equal(steadyAfter(every100(0, 10_000, [1000, 2500], [6000, 7000]), 1050, 9900), 1450);
  assert.equal(steadyAfter(every100(0, 10_000, [1000, 9000]), 1050, 9900), null);
  assert.equal(steadyAfter([], 0, 5000), null);
});

test('what was offered is compared with what was carried', () => {
  const seconds = [
    { at: 1000, ms: 1000, offered: 900, carried: 500 },
    { at: 2000, ms: 1000, offered: 300, carried: 500 },
  ];
  assert.equal(excess(seconds), 1.2);
  assert.equal(excess([]), Number.POSITIVE_INFINITY, 'nothing was carried at all');
  assert.equal(rateAfter(seconds, 500, 400), 500);
  assert.equal(rateAfter(seconds, 1000, 400), 1000);
  assert.equal(rateAfter(seconds, 500, 600), null);
});

test('a rate over parts of different lengths is that of all that came in them', () => {
  // What had waited while the machine did something else comes in a moment.
  const parts = [
    { at: 1490, ms: 1490, offered: 1000, carried: 1000 },
    { at: 1500, ms: 10, offered: 26_000, carried: 10_000 },
  ];
  assert.equal(meanRate(parts, 'offered'), 1166 + 2 / 3);
  assert.ok(excess(parts) < 1.11, `${excess(parts)}`);
  assert.equal(meanRate([], 'carried'), 0);
});
