import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decodable } from '../../static/viewer/decodable.js';
import { Decoding } from '../../static/viewer/decoding.js';
import { decodeMedia, formatOf, keyFrame, mediaUrl, taken } from '../../static/viewer/media-frames.js';
import { FakeDecoder, webCodecs } from './support.js';

/** A key frame of constrained baseline, level 3.1, as the host sends it. */
const KEY = new Uint8Array([0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xda, 0, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 9]);
const DELTA = new Uint8Array([0, 0, 0, 1, 0x41, 1, 2, 3]);

test('what goes to the host has the header of input frames', () => {
  assert.deepEqual([...taken(258, 5)], [1, 0x10, 0, 0, 0, 0, 5, 0, 0, 0, 2, 1, 0, 0]);
  assert.deepEqual([...keyFrame(5)], [1, 0x11, 0, 0, 0, 0, 5, 0, 0, 0]);
});

test('frames are read as the host writes them', () => {
  const bytes = new Uint8Array([1, 0x91, 1, 3, 7, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 42]);
  const frame = /** @type {any} */ (decodeMedia(bytes.buffer));
  assert.deepEqual(
    { ...frame, data: [...frame.data] },
    { type: 'frame', key: true, rendition: 3, number: 7, ptsUs: 0x01020304, data: [42] },
  );
});

test('what is malformed, or of another version, is no message, and what data channels carry is left to them', () => {
  for (const bytes of [[], [1], [2, 0x91], [1, 0x91, 0], [1, 0x90], [1, 0x90, 0x7b], [1, 0x92, 0x5b, 0x5d]])
    assert.equal(decodeMedia(new Uint8Array(bytes).buffer), null, String(bytes));
  assert.deepEqual(decodeMedia(new Uint8Array([1, 0x81, 0]).buffer), { type: 'other' });
});

test('the format of H.264 is what its key frames say', () => {
  assert.equal(formatOf('h264', KEY), 'avc1.42c01f');
  assert.equal(formatOf('h264', DELTA), null);
  assert.equal(formatOf('vp8', DELTA), 'vp8');
  assert.equal(formatOf('vp9', DELTA), 'vp09.00.31.08');
  assert.equal(formatOf('av1', DELTA), 'av01.0.05M.08');
});

test('the media socket is at the host of the other one', () => {
  assert.equal(
    mediaUrl('wss://host:8/ws', { viewer: 'v', codecs: 'h264,vp8' }),
    'wss://host:8/ws/media?viewer=v&codecs=h264%2Cvp8',
  );
});

test('only what the browser says to decode is asked for', async () => {
  const { VideoDecoder } = webCodecs();
  assert.deepEqual(await decodable(VideoDecoder), ['h264', 'vp8']);
  FakeDecoder.formats = ['vp8', 'vp09.00.31.08', 'av01.0.05M.08'];
  assert.deepEqual(await decodable(VideoDecoder), ['vp8', 'vp9', 'av1']);
  assert.deepEqual(await decodable(undefined), []);
});

/** A decoding of H.264, and what it has said. */
function decoding() {
  const said = { shown: 0, stuck: 0, failed: 0 };
  const it = new Decoding(
    'h264',
    { ...webCodecs(), now: () => 0 },
    { show: () => said.shown++, stuck: () => said.stuck++, failed: () => said.failed++ },
  );
  let pts = 0;
  const push = (/** @type {Uint8Array} */ data) => {
    pts += 1000;
    it.push({ key: data === KEY, data, ptsUs: pts, rendition: 0, number: 0 });
  };
  return { it, said, push };
}

test('nothing is decoded before a key frame, which says how', () => {
  const { it, said, push } = decoding();
  push(DELTA);
  assert.equal(FakeDecoder.all.length, 0);
  push(KEY);
  push(DELTA);
  assert.deepEqual(FakeDecoder.last.configured, [{ codec: 'avc1.42c01f', optimizeForLatency: true }]);
  FakeDecoder.last.work();
  assert.deepEqual([said.shown, it.decoded, it.dropped], [2, 2, 1]);
});

test('a decoder that is behind is given nothing more before the next key frame, and that is asked for', () => {
  const { it, said, push } = decoding();
  push(KEY);
  for (let i = 0; i < 20; i += 1) push(DELTA);
  assert.ok(FakeDecoder.last.chunks.length <= 9, `${FakeDecoder.last.chunks.length} wait`);
  assert.deepEqual([said.stuck, it.keepsUp], [1, false]);
  FakeDecoder.last.work();
  push(DELTA);
  assert.equal(FakeDecoder.last.chunks.length, 0);
  push(KEY);
  push(DELTA);
  assert.equal(FakeDecoder.last.chunks.length, 2);
  assert.equal(FakeDecoder.all.length, 1);
});

test('a decoder that fails is replaced at the next key frame; after some in a row it is given up', () => {
  const { said, push } = decoding();
  push(KEY);
  FakeDecoder.last.fail();
  assert.equal(said.stuck, 1);
  push(DELTA);
  push(KEY);
  FakeDecoder.last.work();
  assert.deepEqual([FakeDecoder.all.length, said.shown, said.failed], [2, 1, 0]);
  for (let i = 0; i < 5; i += 1) {
    push(KEY);
    FakeDecoder.last.fail();
  }
  assert.equal(said.failed, 1);
});
