import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  climb,
  EVENTS,
  foot,
  LOSSES_BEFORE_RELOAD,
  RESTART_WITHIN_MS,
  RUNGS,
} from '../../static/viewer/ladder.js';

/** @typedef {import('../../static/viewer/ladder.js').Event} Event */
/** @typedef {import('../../static/viewer/ladder.js').Ladder} Ladder */

const NOW = 1000;

/** Where events lead, and what they have done. @param {Event[]} events */
function after(...events) {
  let ladder = foot();
  /** @type {(string | null)[]} */
  const effects = [];
  for (const event of events) {
    const next = climb(ladder, event, NOW);
    ladder = next.ladder;
    effects.push(next.effect);
  }
  return { ladder, effects };
}

/** Every ladder that some events lead to, with a way there. */
function reachable() {
  /** @type {Map<string, {ladder: Ladder, way: Event[]}>} */
  const known = new Map();
  const waiting = [{ ladder: foot(), way: /** @type {Event[]} */ ([]) }];
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    // Beyond the reload nothing changes with further losses.
    const key = JSON.stringify({ ...at.ladder, lost: Math.min(at.ladder.lost, LOSSES_BEFORE_RELOAD) });
    if (known.has(key)) continue;
    known.set(key, at);
    for (const event of EVENTS) {
      for (const now of [NOW, NOW + RESTART_WITHIN_MS]) {
        waiting.push({ ladder: climb(at.ladder, event, now).ladder, way: [...at.way, event] });
      }
    }
  }
  return [...known.values()];
}

test('a path that is interrupted is looked for anew, and a connection only made anew when that fails', () => {
  const sought = after('interrupted');
  assert.deepEqual(sought.effects, ['restart']);
  assert.equal(sought.ladder.until, NOW + RESTART_WITHIN_MS);
  assert.deepEqual(climb(sought.ladder, 'tick', NOW + RESTART_WITHIN_MS - 1).effect, null);
  const given = climb(sought.ladder, 'tick', NOW + RESTART_WITHIN_MS);
  assert.equal(given.effect, 'offer');
  assert.equal(climb(given.ladder, 'lost', NOW).ladder.rung, 'offering');
});

test('a restart ends when the host has agreed and the path is there, in whichever order', () => {
  for (const way of /** @type {Event[][]} */ ([
    ['interrupted', 'moved', 'connected'],
    ['interrupted', 'connected', 'moved'],
  ])) {
    assert.deepEqual(after(...way).ladder, foot());
  }
});

test('a path that comes back by itself does not undo the restart that the host may be about to agree on', () => {
  const { ladder } = after('interrupted', 'connected');
  assert.equal(ladder.rung, 'restarting');
  const given = climb(ladder, 'tick', NOW + RESTART_WITHIN_MS);
  assert.deepEqual([given.effect, given.ladder], ['undo', foot()]);
});

test('new credentials, another network and the wish of the host restart a connection that works', () => {
  for (const event of /** @type {Event[]} */ (['refresh', 'network', 'asked'])) {
    assert.deepEqual(after(event).effects, ['restart']);
    assert.deepEqual(after(event, 'moved').ladder, foot());
    // A host that knows no restart costs nothing: what works, works on.
    assert.deepEqual(after(event, 'refused'), { ladder: foot(), effects: ['restart', 'undo'] });
    assert.deepEqual(after(event, 'interrupted', 'refused').effects, ['restart', null, 'offer']);
  }
});

test('what was tried over networks that are gone is tried anew, with all the time there is', () => {
  const { ladder } = after('interrupted');
  const later = NOW + RESTART_WITHIN_MS - 1;
  for (const way of /** @type {Event[][]} */ ([[], ['moved']])) {
    const sought = way.reduce((at, event) => climb(at, event, NOW).ladder, ladder);
    const anew = climb(sought, 'anew', later);
    assert.deepEqual([anew.effect, anew.ladder.until], ['restart', later + RESTART_WITHIN_MS]);
    assert.ok(!anew.ladder.agreed, 'what was agreed on was about the other one');
  }
  assert.deepEqual(after('anew').effects, ['restart']);
  assert.deepEqual(after('lost', 'anew').effects, [null, null]);
});

test('silence alone leaves no path, but a restart that comes to nothing then does', () => {
  const { ladder, effects } = after('silent');
  assert.deepEqual([ladder.rung, effects], ['steady', [null]]);
  assert.deepEqual(after('silent', 'network', 'refused').effects, [null, 'restart', 'offer']);
  assert.deepEqual(after('network', 'silent', 'refused').effects, ['restart', null, 'offer']);
  assert.deepEqual(after('silent', 'connected', 'network', 'refused').effects, [
    null,
    null,
    'restart',
    'undo',
  ]);
});

test('a connection that fails is given one restart, and that restart no second one', () => {
  assert.deepEqual(after('failed').effects, ['restart']);
  assert.deepEqual(after('failed', 'failed').effects, ['restart', 'offer']);
  assert.deepEqual(after('interrupted', 'failed').effects, ['restart', 'offer']);
});

test('after some losses in a row the page may be loaded anew, while offers go on', () => {
  const losses = /** @type {Event[]} */ (Array(LOSSES_BEFORE_RELOAD).fill('lost'));
  assert.equal(after(...losses.slice(1)).ladder.rung, 'offering');
  assert.equal(after(...losses).ladder.rung, 'stuck');
  assert.equal(after(...losses, ...losses).ladder.rung, 'stuck');
  assert.deepEqual(after(...losses, 'connected').ladder, foot());
});

test('wherever it stands, every rung has a deadline or is left by a connection or a loss', () => {
  const all = reachable();
  assert.deepEqual(new Set(all.map(({ ladder }) => ladder.rung)), new Set(RUNGS));
  for (const { ladder, way } of all) {
    const where = `${JSON.stringify(ladder)} by ${way.join(' ')}`;
    if (ladder.rung === 'restarting' && ladder.until !== null) {
      const given = climb(ladder, 'tick', ladder.until);
      assert.notEqual(given.effect, null, where);
      assert.notEqual(given.ladder.until, ladder.until, where);
    } else {
      assert.equal(ladder.until, null, where);
    }
    assert.ok(['offering', 'stuck'].includes(climb(ladder, 'lost', NOW).ladder.rung), where);
    const back = climb(climb(ladder, 'connected', NOW).ladder, 'moved', NOW).ladder;
    assert.deepEqual(back, foot(), where);
  }
});

test('wherever it stands, only one thing is tried at a time', () => {
  for (const { ladder, way } of reachable()) {
    for (const event of EVENTS) {
      for (const now of [NOW, NOW + RESTART_WITHIN_MS]) {
        const { ladder: next, effect } = climb(ladder, event, now);
        const where = `${JSON.stringify(ladder)} by ${way.join(' ')}, then ${event}`;
        if (effect === 'restart') {
          assert.ok(ladder.rung === 'steady' || (ladder.rung === 'restarting' && event === 'anew'), where);
          assert.equal(next.rung, 'restarting', where);
        }
        // A deadline is never moved by what happens meanwhile, unless all begins anew.
        if (event !== 'anew' && ladder.rung === 'restarting' && next.rung === 'restarting') {
          assert.equal(next.until, ladder.until, where);
        }
        if (effect === 'offer') assert.ok(next.broken, where);
        if (effect === 'undo') assert.ok(!ladder.broken, where);
      }
    }
  }
});
