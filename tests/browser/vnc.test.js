// A browser with neither WebRTC nor WebCodecs: the picture from the instance's own VNC server, and input beside it.

import assert from 'node:assert/strict';

import { encode } from '../../static/viewer/frames.js';
import { pattern, shrink, shrinking, tellPattern } from './harness/apps.js';
import { EVEN, FLIP, ODD } from './harness/pattern.js';
import { distance } from './harness/picture.js';
import { isAlive, killNow, pidOf, programsOf } from './harness/proc.js';
import { Socket } from './harness/socket.js';
import { suite } from './harness/suite.js';
import { noteToasts, Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 8 } },
  apps: paths => [pattern(paths), shrinking(paths)],
});

/** @typedef {import('./harness/stage.js').Stage} Stage */

/** Where the shapes of the pattern's animation are. */
const CONTENT = { x: 300, y: 0, width: 340, height: 300 };

/** Runs in the page: an old browser, or one on a page without encryption, with WebRTC switched off. */
function poor() {
  for (const name of ['RTCPeerConnection', 'VideoDecoder']) Reflect.deleteProperty(window, name);
}

/** The picture is there by VNC. @param {Viewer} viewer */
async function comes(viewer) {
  await viewer.connected();
  assert.equal(await viewer.property('way'), 'vnc');
  return await viewer.pattern.appears();
}

/** Somebody with a poor browser launches it and sees it. @param {Stage} stage */
async function watching(stage, app = 'pattern') {
  const { home, page, user } = await stage.visitor();
  await page.addInitScript(poor);
  const viewer = await home.launch(app, stage.host);
  await comes(viewer);
  return { viewer, page, user };
}

/** Clicks until one arrives: the first may be lost while the way changes. @param {Viewer} viewer */
async function clicks(viewer) {
  const { flips } = await viewer.pattern.appears();
  let clicked = 0;
  await until('a click arrives', async () => {
    if (Date.now() - clicked > 4_000) {
      clicked = Date.now();
      await viewer.click(400, 100);
    }
    return (await viewer.pattern.read()).flips > flips;
  });
}

scenario('a browser that can do nothing else gets the picture by VNC, clicks and types', async stage => {
  const { viewer, page } = await watching(stage);
  await until('it is as large as the screen', async () => (await viewer.picture.look()).width === 640);
  await viewer.picture.moves(CONTENT);
  const { flips } = await viewer.pattern.appears();
  for (const flip of [0, 1]) {
    const drawn = (flips + flip) % 2 === 0 ? EVEN : ODD;
    await until('the colour is the drawn one', async () => {
      const { colours } = await viewer.picture.look([FLIP]);
      if (colours[0] && distance(colours[0], drawn) < 9) return true;
      throw new Error(`${JSON.stringify(colours[0])} instead of ${JSON.stringify(drawn)}`);
    });
    await viewer.click(400, 100);
    await viewer.pattern.flipsBecome(flips + flip + 1);
  }
  await page.keyboard.type('Grüße, Ähre & Öl ~42%');
  await viewer.pattern.textBecomes('Grüße, Ähre & Öl ~42%');

  await page.mouse.move(640, 2);
  await page.getByRole('button', { name: 'Statistics' }).click();
  await until('the statistics say how it comes', async () => {
    const said = await viewer.says();
    return /Way VNC/.test(said) && /Picture 640×360/.test(said) && /Round trip \(data\) \d/.test(said);
  });
  const peer = await viewer.property('peerId');
  assert.match(stage.host.log(), new RegExp(`peer=${peer} viewer=\\S+ by vnc codec=rfb`));
});

/** Runs in the page: it decodes nothing, and WebRTC finds no path until `testOpen` is set. */
function pathless() {
  Reflect.deleteProperty(window, 'VideoDecoder');
  const prototype = /** @type {any} */ (RTCPeerConnection.prototype);
  const set = prototype.setLocalDescription;
  prototype.setLocalDescription = function (/** @type {any[]} */ ...args) {
    const blocked = !(/** @type {any} */ (window).testOpen);
    if (blocked) this.setConfiguration({ ...this.getConfiguration(), iceTransportPolicy: 'relay' });
    return set.apply(this, args);
  };
}

scenario('from VNC a page goes up to WebRTC when that has a path', async stage => {
  const { home, page } = await stage.visitor();
  await page.addInitScript(pathless);
  await page.addInitScript(noteToasts);
  const viewer = await home.launch('pattern', stage.host);
  await viewer.hasTold(/the picture comes by VNC/);
  await comes(viewer);
  await clicks(viewer);
  await page.evaluate(() => {
    Object.assign(window, { testOpen: true });
    window.dispatchEvent(new Event('online'));
  });
  await until('it comes by WebRTC', async () => (await viewer.property('way')) === 'webrtc');
  await until('it is the video', () =>
    page.evaluate(() => {
      const { picture, video } = /** @type {any} */ (document.querySelector('heliostat-viewer'));
      return picture === video;
    }),
  );
  await clicks(viewer);
  await until('no VNC server is left', () => programsOf(viewer.instanceId, 'vnc').length === 0, {
    within: 60_000,
  });
});

scenario('viewers by WebRTC, WebSocket and VNC watch one program, and only who may steers', async stage => {
  const { home, page } = await stage.visitor();
  const direct = await home.launch('pattern', stage.host);
  await direct.connected();
  const { flips } = await direct.pattern.appears();
  const others = [];
  for (const way of ['websocket', 'vnc']) {
    const stranger = await stage.stranger();
    const other = new Viewer(await stranger.newPage());
    await other.page.goto(`${page.url()}?transport=${way}`);
    await other.connected();
    assert.equal(await other.property('way'), way);
    await other.becomesRole('spectator');
    others.push(other);
  }
  for (const other of others) {
    await other.pattern.appears();
    await other.click(400, 100);
    await other.page.keyboard.type('no');
  }
  assert.equal(await direct.property('way'), 'webrtc');
  await direct.click(400, 100);
  for (const viewer of [direct, ...others]) await viewer.pattern.flipsBecome(flips + 1);
  await page.keyboard.type('yes');
  for (const viewer of [direct, ...others]) await viewer.pattern.textBecomes('yes');
});

scenario('the VNC server lives for as long as somebody watches by it', async stage => {
  const { viewer, page } = await watching(stage);
  const id = viewer.instanceId;
  const first = await pidOf(id, 'vnc');
  await killNow(first);
  assert.notEqual(await pidOf(id, 'vnc'), first);
  await viewer.stateBecomes('connected');
  await viewer.picture.moves(CONTENT);
  await clicks(viewer);

  const peer = await viewer.property('peerId');
  await stage.host.crash();
  await stage.host.run();
  await until('the next host has another peer', async () => {
    const now = await viewer.property('peerId');
    return now !== '' && now !== peer;
  });
  await viewer.stateBecomes('connected');
  await viewer.picture.moves(CONTENT);
  await clicks(viewer);

  await page.goto('about:blank');
  await until('it is gone', () => programsOf(id, 'vnc').length === 0, { within: 90_000 });
  await page.goBack();
  await comes(viewer);
  await clicks(viewer);
});

scenario('a picture that takes on another size is followed, and clicked where it is seen', async stage => {
  stage.host.give('shrink.py', shrink);
  const { viewer } = await watching(stage, 'shrinking');
  tellPattern(stage.host, true);
  try {
    await until('it is smaller', async () => {
      const { width, height } = await viewer.picture.look();
      if (width === 480 && height === 270) return true;
      throw new Error(`${width}×${height}`);
    });
  } finally {
    tellPattern(stage.host, false);
  }
  await clicks(viewer);
});

scenario('a way that this host does not offer is said to be none', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await page.routeWebSocket(/\/ws$/, socket => {
    const host = socket.connectToServer();
    // As a host without x11vnc.
    host.onMessage(text => socket.send(String(text).replace('"websocket","vnc"]', '"websocket"]')));
  });
  await page.goto(`${stage.host.origin}/stream/${viewer.instanceId}?transport=vnc`);
  await viewer.stateBecomes('error');
  await viewer.tells(/This host sends nothing by VNC/);
});

/** Something for the VNC server. @param {number[]} bytes */
const rfb = bytes => Buffer.from([1, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, ...bytes]);
const HELLO = [...Buffer.from('RFB 003.008\n'), 1, 1];
/** Of everything. */
const UPDATE = [3, 0, 0, 0, 0, 0, 2, 128, 1, 104];

/** A VNC socket of a client that is no browser, for a viewer of its own. @param {Stage} stage */
async function rude(stage) {
  const client = await stage.client();
  const { instance_id } = await client.launch('pattern');
  await client.statusBecomes(instance_id, 'RUNNING');
  const signalling = await Socket.greeted(client);
  signalling.send({ type: 'hello' });
  const { viewer_id } = await signalling.next('welcome');
  signalling.send({ type: 'watch', instance_id });
  await signalling.next('control');
  const path = `/ws/vnc?instance=${instance_id}&viewer=${viewer_id}`;
  const headers = { 'sec-websocket-protocol': 'heliostat.vnc.v1' };
  const open = async () => {
    const { socket, status } = await Socket.open(client, headers, path);
    assert.ok(socket, `/ws/vnc answered ${status}`);
    await until('it is let in', () => socket.binary.some(([, type]) => type === 0x90));
    return socket;
  };
  return { client, signalling, instance_id, open, path, headers };
}

scenario('what steers is left out of what goes to the VNC server, whoever says it', async stage => {
  const { open, instance_id } = await rude(stage);
  const stranger = await stage.stranger();
  const viewer = new Viewer(await stranger.newPage());
  await viewer.page.goto(`${stage.host.origin}/stream/${instance_id}`);
  await viewer.connected();
  const { flips } = await viewer.pattern.appears();
  const socket = await open();
  const sent = () =>
    socket.binary.filter(([, type]) => type === 0x93).reduce((sum, bytes) => sum + bytes.length - 2, 0);
  socket.sendBinary(rfb(HELLO));
  for (const pressed of [1, 0]) {
    socket.sendBinary(rfb([5, pressed, 1, 144, 0, 100]));
    socket.sendBinary(rfb([4, pressed, 0, 0, 0, 0, 0, 0x61]));
  }
  // Version, security types, their result, and the screen with its name.
  await until('it greets', () => sent() > 12 + 2 + 4 + 24);
  const greeted = sent();
  socket.sendBinary(rfb(UPDATE));
  await until('a picture comes', () => sent() > greeted + 640 * 360);
  // It comes after all of that, by the way of all input.
  for (const pressed of [true, false]) {
    const press = { type: /** @type {const} */ ('button'), number: 0, pressed, x: 400, y: 100 };
    socket.sendBinary(Buffer.from(encode(press, pressed ? 1 : 2, 0)));
  }
  await viewer.pattern.flipsBecome(flips + 1);
  await viewer.pattern.textBecomes('');
});

scenario(
  'who floods a VNC server or sends it rubbish is closed with a code, and others watch on',
  async stage => {
    const { signalling, open, instance_id } = await rude(stage);
    const stranger = await stage.stranger();
    const viewer = new Viewer(await stranger.newPage());
    await viewer.page.goto(`${stage.host.origin}/stream/${instance_id}?transport=vnc`);
    await comes(viewer);
    for (const [bytes, code] of /** @type {const} */ ([
      [[...Buffer.from('GET / HTTP/1.1\r\n\r\n')], 'rfb_version'],
      [[...HELLO, 99], 'rfb_unknown_type'],
      [[...HELLO, 2, 0, 255, 255], 'rfb_too_long'],
    ])) {
      const noisy = await open();
      noisy.sendBinary(rfb([...bytes]));
      assert.equal(await noisy.ended(), 1008);
      assert.equal((await signalling.next('closed')).reason, 'fault');
      assert.match(stage.host.log(), new RegExp(`media socket=\\d+ closed: ${code}`));
    }
    const flood = await open();
    flood.sendBinary(rfb(HELLO));
    for (let i = 0; i < 40_000 && flood.closed === null; i += 1) {
      flood.sendBinary(rfb(UPDATE));
      if (i % 500 === 0) await new Promise(resolve => setImmediate(resolve));
    }
    assert.equal(await flood.ended(), 1008);
    // It asks for pictures and reads none.
    const deaf = await open();
    deaf.sendBinary(rfb(HELLO));
    deaf.stream.pause();
    const asking = setInterval(() => deaf.sendBinary(rfb(UPDATE)), 20);
    try {
      await viewer.picture.goesOn(30);
      await viewer.picture.moves(CONTENT);
    } finally {
      clearInterval(asking);
      deaf.stream.destroy();
    }
  },
);

scenario(
  'a VNC server that stands still is noticed and started again, and the picture goes on',
  async stage => {
    const { viewer } = await watching(stage);
    const pid = await pidOf(viewer.instanceId, 'vnc');
    const stopped = Date.now();
    // Again and again: the keeper continues what is stopped.
    const stopping = setInterval(() => isAlive(pid) && process.kill(pid, 'SIGSTOP'), 20);
    try {
      await until('another one runs', async () => (await pidOf(viewer.instanceId, 'vnc')) !== pid, {
        within: 60_000,
      });
    } finally {
      clearInterval(stopping);
    }
    console.log(`  noticed after ${Date.now() - stopped} ms`);
    await comes(viewer);
    await viewer.picture.moves(CONTENT);
    await clicks(viewer);
  },
);

scenario('a VNC socket is its own viewer’s only, and of the right protocol', async stage => {
  const { client, path, headers } = await rude(stage);
  const other = await stage.client();
  const { socket: foreign } = await Socket.open(other, headers, path);
  assert.equal(await foreign?.ended(), 1008);
  assert.ok(foreign?.binary.some(bytes => bytes[1] === 0x92 && /not_watching/.test(bytes.toString())));
  const wrong = await Socket.open(client, { 'sec-websocket-protocol': 'heliostat.media.v1' }, path);
  assert.equal(wrong.status, 400);
  const evil = await Socket.open(client, { ...headers, origin: 'http://evil.example' }, path);
  assert.equal(evil.status, 403);
  const nobody = await Socket.open(client, { ...headers, cookie: '' }, path);
  assert.equal(nobody.status, 401);
});
