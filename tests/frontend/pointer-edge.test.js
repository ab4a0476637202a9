import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PointerInput } from '../../static/viewer/pointer.js';

test('a pointer that leaves the picture is sent to its edge, once', () => {
  const video = Object.assign(new EventTarget(), {
    videoWidth: 1000,
    videoHeight: 500,
    getBoundingClientRect: () => ({ left: 0, top: 0, width: 1000, height: 1000 }),
  });
  /** @type {any[]} */
  const sent = [];
  const send = (/** @type {any} */ event) => sent.push([event.type, event.x, event.y]) > 0;
  new PointerInput(/** @type {any} */ (video), send, () => {});
  const move = (/** @type {number} */ clientX, /** @type {number} */ clientY) =>
    video.dispatchEvent(
      Object.assign(new Event('pointermove'), { clientX, clientY, isPrimary: true, buttons: 0 }),
    );
  move(500, 900);
  assert.deepEqual(sent, [], 'it has not been on the picture');
  move(500, 740);
  move(500, 760);
  move(400, 900);
  move(300, 950);
  assert.deepEqual(sent.slice(1), [['move', 32768, 65535]]);
  move(500, 500);
  assert.equal(sent.length, 3);
});
