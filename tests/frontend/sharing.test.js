import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inFragment } from '../../static/lib/fragment.js';
import { LIVES, left, linkWords, ROLES, USUAL_LIFE } from '../../static/stream/share-model.js';
import { initial, shown, step } from '../../static/viewer/states.js';

/** @type {import('../../static/lib/api.js').Link} */
const LINK = {
  link_id: 'l',
  role: 'controller',
  created: 0,
  expires: 3_600_000,
  uses: null,
  uses_left: null,
  used: 0,
  using: 0,
};

test('what an address hands over stands behind # under its name', () => {
  assert.equal(inFragment({ hash: '#link=abc_-' }, 'link'), 'abc_-');
  assert.equal(inFragment({ hash: '#token=t&link=l' }, 'link'), 'l');
  for (const hash of ['', '#', '#link=', '#token=abc', '#blink=abc'])
    assert.equal(inFragment({ hash }, 'link'), null);
});

test('time left is told coarsely and never as more than there is', () => {
  const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
  const told = [
    [-5, '0 s'],
    [59_999, '59 s'],
    [minute, '1 min'],
    [hour - 1, '59 min'],
    [hour, '1 h'],
    [2 * day - 1, '47 h'],
    [2 * day, '2 days'],
    [30 * day, '30 days'],
  ];
  for (const [ms, words] of told) assert.equal(left(Number(ms)), words);
});

test('a link says who uses it, how often it may be used yet, and until when', () => {
  const detail = (/** @type {object} */ more) => linkWords({ ...LINK, ...more }, 0).detail;
  assert.equal(detail({}), 'nobody now · not used yet · ends in 1 h');
  assert.equal(detail({ used: 3, using: 2 }), '2 viewers now · used by 3 · ends in 1 h');
  assert.match(detail({ uses: 1, uses_left: 1 }), /for one browser/);
  assert.match(detail({ uses: 1, uses_left: 0, used: 1, using: 1 }), /^1 viewer now · used up/);
  assert.match(detail({ uses: 5, uses_left: 2 }), /2 of 5 uses left/);
  assert.equal(linkWords(LINK, 0).role, ROLES.controller);
});

test('what is offered is what the host takes', () => {
  for (const [seconds] of LIVES) assert.ok(Number(seconds) >= 10 && Number(seconds) <= 30 * 86_400);
  assert.ok(LIVES.some(([seconds]) => seconds === USUAL_LIFE));
  assert.deepEqual(Object.keys(ROLES).sort(), ['controller', 'spectator']);
});

test('each way in which a link opens nothing is explained, and trying again is not offered', () => {
  const titles = new Set();
  for (const code of ['unknown_link', 'link_revoked', 'link_expired', 'link_used_up', 'access_ended']) {
    const started = step(initial(), { type: 'start' }, 0);
    const view = shown(step(started, { type: 'fault', code, message: '' }, 0));
    assert.deepEqual([view.state, view.action], ['error', null]);
    assert.ok(view.detail.length > 0, code);
    titles.add(view.title);
  }
  assert.equal(titles.size, 5);
});
