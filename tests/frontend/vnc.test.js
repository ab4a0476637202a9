import assert from 'node:assert/strict';
import { test } from 'node:test';

import { VncPeer, vncUrl } from '../../static/viewer/vnc-peer.js';
import { WayKeeper } from '../../static/viewer/way-keeper.js';
import { FakeSocket, webCodecs, world } from './support.js';
import { greet, link } from './talk.js';

/** A peer whose picture nobody draws, and what happens at it. */
function peer() {
  const { env } = world();
  /** @type {number[]} */
  const taken = [];
  const screen = { canvas: { width: 640, height: 360 }, taken, closed: 0 };
  /** @type {import('../../static/viewer/vnc-screen.js').Hooks[]} */
  const hooks = [];
  const draw = (/** @type {import('../../static/viewer/vnc-screen.js').Hooks} */ given) => {
    hooks.push(given);
    return /** @type {any} */ ({
      canvas: screen.canvas,
      take: (/** @type {Uint8Array} */ data) => screen.taken.push(...data),
      close: () => (screen.closed += 1),
    });
  };
  const made = new VncPeer(vncUrl('ws://host/ws', { instance: 'i', viewer: 'v' }), env, draw);
  /** @type {string[]} */
  const events = [];
  for (const type of ['state', 'channel', 'message', 'canvas', 'refused'])
    made.addEventListener(type, () => events.push(type));
  const socket = FakeSocket.last;
  return { made, screen, events, socket, hooks: hooks[0] };
}

test('noVNC is handed what the VNC server says, and what it says goes to the VNC server alone', () => {
  const { made, screen, events, socket, hooks } = peer();
  assert.equal(socket.url, 'ws://host/ws/vnc?instance=i&viewer=v');
  assert.equal(socket.protocol, 'heliostat.vnc.v1');
  hooks.send(new Uint8Array([1]));
  assert.equal(socket.frames.length, 0, 'nobody has let it in yet');
  socket.accept();
  socket.sayBytes(0x90, { peer_id: 'p', codec: 'rfb' });
  assert.deepEqual([made.id, made.ready, events], ['p', true, ['channel']]);
  socket.sayBytes(0x93, new Uint8Array([82, 70, 66]));
  assert.deepEqual(screen.taken, [82, 70, 66]);
  hooks.send(new Uint8Array([3, 1]));
  const [said] = socket.frames;
  assert.deepEqual([...said.subarray(0, 2), ...said.subarray(10)], [1, 0x12, 3, 1]);
});

test('it has its canvas with its first picture, and figures from then on', () => {
  const { made, events, socket, hooks } = peer();
  socket.accept();
  socket.sayBytes(0x90, { peer_id: 'p', codec: 'rfb' });
  assert.equal(made.digest(null, 0), null);
  hooks.frame();
  hooks.frame();
  assert.equal(events.filter(event => event === 'canvas').length, 1);
  const digest = made.digest(null, 1000)?.digest;
  assert.deepEqual([digest?.way, digest?.width, digest?.frames], ['vnc', 640, 2]);
});

test('it ends with its socket and with what noVNC cannot read, and then says nothing more', () => {
  const { made, screen, events, socket, hooks } = peer();
  socket.accept();
  hooks.ended();
  assert.deepEqual(events, ['state']);
  made.close();
  made.close();
  assert.equal(screen.closed, 1);
  hooks.frame();
  hooks.ended();
  assert.deepEqual(events, ['state']);
});

/** @param {import('../../static/viewer/ways.js').Wish} wish @param {object} lacking */
const keeper = (wish, lacking) =>
  new WayKeeper({ ...world().env, ...webCodecs(), ...lacking }, wish, {
    fall() {},
    attempt() {},
    impossible() {},
  });

test('of what the host does not offer nothing is tried', () => {
  const poor = keeper('auto', { RTCPeerConnection: undefined, VideoDecoder: undefined });
  assert.deepEqual([poor.way, poor.any], ['vnc', true]);
  poor.offered(['webrtc', 'websocket']);
  assert.equal(poor.any, false);
  const rich = keeper('auto', {});
  rich.offered(['websocket', 'vnc']);
  assert.deepEqual([rich.way, rich.any], ['websocket', true]);
  const wished = keeper('vnc', {});
  wished.offered(['webrtc']);
  assert.equal(wished.any, false);
});

test('who wants VNC of a host that has none is told so', async () => {
  const { viewer } = link(webCodecs(), 'vnc');
  await greet();
  assert.deepEqual([viewer.shown.state, viewer.shown.code], ['error', 'no_vnc']);
  assert.match(viewer.shown.title, /nothing by VNC/);
});
