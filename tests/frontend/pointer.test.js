import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containedBox, onPicture, picturePoint } from '../../static/viewer/geometry.js';
import { buttonChanges } from '../../static/viewer/pointer.js';
import { WheelScale } from '../../static/viewer/wheel.js';

const box = { left: 10, top: 20, width: 1000, height: 1000 };

test('a wide picture has bars above and below', () => {
  assert.deepEqual(containedBox(box, 1280, 720), { left: 10, top: 238.75, width: 1000, height: 562.5 });
});

test('a tall picture has bars left and right', () => {
  assert.deepEqual(containedBox(box, 500, 1000), { left: 260, top: 20, width: 500, height: 1000 });
});

test('a picture of the same shape fills the box, whatever its size', () => {
  assert.deepEqual(containedBox(box, 64, 64), box);
});

test('a picture without a size fills the box', () => {
  assert.deepEqual(containedBox(box, 0, 0), box);
  assert.deepEqual(containedBox({ ...box, width: 0 }, 10, 10), { ...box, width: 0 });
});

test('corners and centre of the picture are 0, 65535 and the middle', () => {
  const picture = containedBox(box, 1280, 720);
  assert.deepEqual(picturePoint(10, 238.75, picture), { x: 0, y: 0 });
  assert.deepEqual(picturePoint(1010, 801.25, picture), { x: 65535, y: 65535 });
  assert.deepEqual(picturePoint(510, 520, picture), { x: 32768, y: 32768 });
});

test('points in the bars are clamped to the edge and not on the picture', () => {
  const picture = containedBox(box, 1280, 720);
  assert.deepEqual(picturePoint(510, 30, picture), { x: 32768, y: 0 });
  assert.equal(onPicture(510, 30, picture), false);
  assert.equal(onPicture(510, 400, picture), true);
  assert.deepEqual(picturePoint(5, 5, { left: 0, top: 0, width: 0, height: 0 }), { x: 0, y: 0 });
});

test('every pixel of the picture survives the way there and back', () => {
  const picture = containedBox({ left: 0, top: 0, width: 1280, height: 720 }, 1280, 720);
  for (let x = 0; x < 1280; x++) {
    assert.equal(Math.floor((picturePoint(x + 0.5, 0, picture).x / 65536) * 1280), x);
  }
});

test('buttons are numbered as in the DOM, releases first', () => {
  assert.deepEqual(buttonChanges(0, 1), [{ number: 0, pressed: true }]);
  assert.deepEqual(buttonChanges(1, 3), [{ number: 2, pressed: true }]);
  assert.deepEqual(buttonChanges(3, 1), [{ number: 2, pressed: false }]);
  assert.deepEqual(buttonChanges(0, 4), [{ number: 1, pressed: true }]);
  assert.deepEqual(buttonChanges(24, 24), []);
  assert.deepEqual(buttonChanges(1, 16), [
    { number: 0, pressed: false },
    { number: 4, pressed: true },
  ]);
});

test('the wheel counts notches in every unit', () => {
  const wheel = new WheelScale();
  assert.deepEqual(wheel.add({ deltaX: 0, deltaY: 3, deltaMode: 1 }), { dx: 0, dy: 120 });
  assert.deepEqual(wheel.add({ deltaX: 0, deltaY: -1, deltaMode: 2 }), { dx: 0, dy: -960 });
  assert.deepEqual(wheel.add({ deltaX: 100, deltaY: 0, deltaMode: 0 }), { dx: 120, dy: 0 });
});

test('a mouse notch is a notch however many pixels the system gives it', () => {
  const wheel = new WheelScale();
  for (const deltaY of [53, 100, 120, 125]) {
    assert.deepEqual(wheel.add({ deltaX: 0, deltaY, deltaMode: 0, wheelDeltaY: -120 }), { dx: 0, dy: 120 });
  }
});

test('a notch is a notch at every zoom of the page', () => {
  const wheel = new WheelScale();
  for (const [i, zoom] of [0.5, 0.9, 1, 1.1, 1.5, 2.5, 3, 5].entries()) {
    const event = { deltaX: 0, deltaY: 100 / zoom, deltaMode: 0, wheelDeltaY: -120, timeStamp: i * 50 };
    assert.deepEqual(wheel.add(event), { dx: 0, dy: 120 }, String(zoom));
  }
});

test('a notch of a mouse on a Mac is a notch, and faster turning is not a notch for every step', () => {
  const wheel = new WheelScale();
  const STEP = 4.000244140625;
  /** @param {number} n */
  const turn = n => wheel.add({ deltaX: 0, deltaY: n * STEP, deltaMode: 0, wheelDeltaY: -12 * n }).dy;
  assert.equal(turn(1), 120);
  assert.equal(turn(-1), -120);
  assert.equal(turn(3), 120);
  assert.equal(turn(20), 120);
  assert.equal(turn(75), 360, 'a click for 100 pixels');
  assert.equal(wheel.add({ deltaX: 0, deltaY: 4.0002, deltaMode: 0, wheelDeltaY: -12 }).dy, 120);
});

test('a touchpad is taken by its pixels, and its fractions add up', () => {
  const wheel = new WheelScale();
  let total = 0;
  for (let i = 0; i < 100; i++)
    total += wheel.add({ deltaX: 0, deltaY: 0.5, deltaMode: 0, wheelDeltaY: -1.5, timeStamp: i * 8 }).dy;
  assert.ok(total >= 59 && total <= 60, String(total));
  // Among its events are some that look like notches.
  for (const deltaY of [38, 40, 41, 40, 80, 4])
    total += wheel.add({ deltaX: 0, deltaY, deltaMode: 0, wheelDeltaY: -3 * deltaY, timeStamp: 810 }).dy;
  assert.ok(Math.abs(total - 60 - 243 * 1.2) <= 1, String(total));
});

test('Firefox is asked for lines before its pixels', () => {
  /** @type {string[]} */
  const asked = [];
  const event = new Proxy(
    { deltaX: 0, deltaY: 3, deltaMode: 1 },
    {
      get(target, name) {
        asked.push(String(name));
        return Reflect.get(target, name);
      },
    },
  );
  assert.equal(new WheelScale().add(event).dy, 120);
  assert.equal(asked[0], 'deltaMode');
});
