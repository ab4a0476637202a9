import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Copies } from '../../static/viewer/copies.js';
import { encode } from '../../static/viewer/frames.js';
import { Clock } from './support.js';

function copies() {
  const clock = new Clock();
  /** @type {number[][]} */
  const sent = [];
  const env = /** @type {any} */ ({ setTimeout: clock.set.bind(clock) });
  return { clock, sent, copies: new Copies(env, frame => sent.push([...frame])) };
}

const key = /** @type {const} */ ({ type: 'key', pressed: true, usage: 4, keysym: 0x61 });

test('a key is sent twice more, with the number of what went before it', async () => {
  const { clock, sent, copies: of } = copies();
  of.sent(encode(key, 7, 9));
  of.sent(encode({ type: 'ping', t: 1n }, 8, 10));
  of.sent(encode(key, 9, 10));
  assert.deepEqual(sent, []);
  await clock.advance(20);
  const body = [5, 1, 4, 0, 0x61, 0, 0, 0];
  const first = [1, 14, 7, 0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 0, ...body];
  const second = [1, 14, 9, 0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, ...body];
  assert.deepEqual(sent, [first, second]);
  await clock.advance(1000);
  assert.deepEqual(sent.slice(2), [first, second]);
});

test('long text is left to the channel, and what comes after it says so', async () => {
  const { clock, sent, copies: of } = copies();
  of.sent(encode({ type: 'text', text: 'x'.repeat(100) }, 3, 0));
  of.sent(encode({ type: 'release_all' }, 4, 0));
  await clock.advance(10);
  assert.deepEqual(
    sent.map(frame => [frame[2], frame[10]]),
    [[4, 3]],
  );
});
