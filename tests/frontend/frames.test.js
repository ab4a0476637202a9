import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHost, encode, splitText } from '../../static/viewer/frames.js';

/** @param {Uint8Array} bytes */
const list = bytes => [...bytes];
const HEADER = [4, 3, 2, 1, 0x44, 0x33, 0x22, 0x11];
/** @param {import('../../static/viewer/frames.js').InputEvent} event */
const body = event => {
  const bytes = list(encode(event, 0x01020304, 0x11223344));
  assert.deepEqual(bytes.slice(2, 10), HEADER);
  assert.equal(bytes[0], 1);
  return [bytes[1], ...bytes.slice(10)];
};

test('a move carries its position in little endian', () => {
  assert.deepEqual(body({ type: 'move', x: 0x1234, y: 65535 }), [1, 0x34, 0x12, 0xff, 0xff]);
});

test('a relative move is signed', () => {
  assert.deepEqual(body({ type: 'relative_move', dx: -1, dy: 2 }), [2, 0xff, 0xff, 2, 0]);
});

test('a button carries its number, its state and where it was', () => {
  assert.deepEqual(body({ type: 'button', number: 2, pressed: true, x: 1, y: 2 }), [3, 2, 1, 1, 0, 2, 0]);
  assert.deepEqual(body({ type: 'button', number: 0, pressed: false, x: 0, y: 0 }), [3, 0, 0, 0, 0, 0, 0]);
});

test('a wheel event carries signed notches and where it was', () => {
  assert.deepEqual(
    body({ type: 'wheel', dx: -120, dy: 120, x: 1, y: 2 }),
    [4, 0x88, 0xff, 120, 0, 1, 0, 2, 0],
  );
});

test('a key carries state, usage and keysym', () => {
  const key = /** @type {const} */ ({ type: 'key', pressed: true, usage: 0x50, keysym: 0x0100_20ac });
  assert.deepEqual(body(key), [5, 1, 0x50, 0, 0xac, 0x20, 0, 1]);
});

test('a repeat carries usage and keysym', () => {
  assert.deepEqual(
    body({ type: 'repeat', usage: 0x50, keysym: 0x0100_20ac }),
    [11, 0x50, 0, 0xac, 0x20, 0, 1],
  );
});

test('text is UTF-8 to the end', () => {
  assert.deepEqual(body({ type: 'text', text: 'ä€' }), [6, 0xc3, 0xa4, 0xe2, 0x82, 0xac]);
});

test('frames without a body are the header alone', () => {
  assert.deepEqual(body({ type: 'release_all' }), [7]);
  assert.deepEqual(body({ type: 'hidden' }), [8]);
  assert.deepEqual(body({ type: 'visible' }), [9]);
});

test('a ping carries 64 bits', () => {
  assert.deepEqual(body({ type: 'ping', t: 0x0807060504030201n }), [10, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a wish for a rendition carries its number, and none is whichever fits', () => {
  assert.deepEqual(body({ type: 'rendition', rung: 1 }), [13, 1]);
  assert.deepEqual(body({ type: 'rendition', rung: null }), [13, 255]);
});

test('values out of range are clamped instead of wrapping round', () => {
  assert.deepEqual(body({ type: 'move', x: -5, y: 1e9 }), [1, 0, 0, 0xff, 0xff]);
  assert.deepEqual(body({ type: 'relative_move', dx: -40000, dy: Number.NaN }), [2, 0, 0x80, 0, 0]);
});

test('sequence number and time wrap at 32 bits', () => {
  const bytes = list(encode({ type: 'hidden' }, 2 ** 32 + 5, 2 ** 32 + 6));
  assert.deepEqual(bytes.slice(2), [5, 0, 0, 0, 6, 0, 0, 0]);
});

test('a text longer than a frame is refused, and split text fits', () => {
  const text = '€'.repeat(1000);
  assert.throws(() => encode({ type: 'text', text }, 0, 0), RangeError);
  const parts = splitText(text);
  assert.equal(parts.join(''), text);
  for (const part of parts) assert.ok(encode({ type: 'text', text: part }, 0, 0).length <= 1034);
});

test('splitting never cuts a character in two', () => {
  const parts = splitText(`a${'😀'.repeat(300)}`);
  assert.equal(parts.length, 2);
  for (const part of parts) assert.doesNotMatch(part, /\p{Surrogate}/u);
  assert.deepEqual(splitText(''), []);
});

test('a pong is decoded', () => {
  const bytes = new Uint8Array(18);
  const view = new DataView(bytes.buffer);
  bytes.set([1, 0x81]);
  view.setBigUint64(2, 7n, true);
  view.setBigUint64(10, 2n ** 63n, true);
  assert.deepEqual(decodeHost(bytes.buffer), { type: 'pong', t: 7n, hostTime: 2n ** 63n });
});

test('a status is decoded', () => {
  const json = new TextEncoder().encode('{"status":"RUNNING"}');
  const bytes = new Uint8Array([1, 0x82, ...json]);
  assert.deepEqual(decodeHost(bytes.buffer), { type: 'status', status: { status: 'RUNNING' } });
});

test('the reason of a close is decoded, and nothing that is no word', () => {
  const frame = /** @param {string} text */ text =>
    decodeHost(new Uint8Array([1, 0x85, ...new TextEncoder().encode(text)]).buffer);
  assert.deepEqual(frame('resume_expired'), { type: 'closed', reason: 'resume_expired' });
  for (const text of ['', '<b>', 'A', 'x'.repeat(33)]) assert.equal(frame(text), null);
});

test('malformed frames of the host are ignored', () => {
  for (const bytes of [[], [1], [2, 0x81], [1, 0x81, 0], [1, 0x82, 0x7b], [1, 0x82, 0xff], [1, 0x82, 0x31]]) {
    assert.equal(decodeHost(new Uint8Array(bytes).buffer), null);
  }
  assert.deepEqual(decodeHost(new Uint8Array([1, 0x99]).buffer), { type: 'unknown', code: 0x99 });
});
