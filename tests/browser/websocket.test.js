// A viewer without a way for WebRTC: the same picture by a WebSocket, and input with it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { pattern, shrink, shrinking, tellPattern } from './harness/apps.js';
import { EVEN, FLIP, ODD } from './harness/pattern.js';
import { distance } from './harness/picture.js';
import { isAlive, pidOf } from './harness/proc.js';
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

/**
 * Somebody launches the pattern and sees it by a WebSocket, without another way.
 *
 * @param {Stage} stage
 * @param {(page: import('playwright-core').Page) => Promise<unknown>} [prepare]
 */
async function watching(stage, prepare, app = 'pattern') {
  const { home, page, user } = await stage.visitor();
  await prepare?.(page);
  const viewer = await home.launch(app, stage.host);
  await page.goto(`${stage.host.origin}/stream/${viewer.instanceId}?transport=websocket`);
  await comes(viewer);
  return { viewer, page, user };
}

/** The picture is there by a WebSocket. @param {Viewer} viewer */
async function comes(viewer) {
  await viewer.connected();
  assert.equal(await viewer.property('way'), 'websocket');
  return await viewer.pattern.appears();
}

/** It answers to clicks and keys. @param {Viewer} viewer @param {string} text typed into it before, with what follows */
async function answers(viewer, text) {
  const { flips } = await viewer.pattern.appears();
  await viewer.click(400, 100);
  await viewer.pattern.flipsBecome(flips + 1);
  await viewer.page.keyboard.type(text.slice(-1));
  await viewer.pattern.textBecomes(text);
}

scenario(
  'by a WebSocket the picture comes, moves and answers, and the page says how it comes',
  async stage => {
    const { viewer, page } = await watching(stage);
    await until('it is as large as the screen', async () => (await viewer.picture.look()).width === 640);
    await viewer.picture.moves(CONTENT);
    await viewer.picture.goesOn(10);
    const { flips } = await viewer.pattern.appears();
    await viewer.click(400, 100);
    await viewer.pattern.flipsBecome(flips + 1);
    await viewer.click(400, 100, { button: 'right' });
    await viewer.pattern.flipsBecome(flips + 2);
    await page.mouse.wheel(0, 120);
    await until('the wheel flips', async () => (await viewer.pattern.read()).flips > flips + 2);
    await page.keyboard.type('Hello, World! ~42%');
    await viewer.pattern.textBecomes('Hello, World! ~42%');

    await page.mouse.move(640, 2);
    await page.getByRole('button', { name: 'Statistics' }).click();
    await until('the statistics say how it comes', async () => {
      const said = await viewer.says();
      return (
        /Way WebSocket/.test(said) && /Glass to glass \d/.test(said) && /Round trip \(data\) \d/.test(said)
      );
    });
    const peer = await viewer.property('peerId');
    assert.match(stage.host.log(), new RegExp(`peer=${peer} viewer=\\S+ by websocket codec=h264`));
  },
);

for (const codec of /** @type {const} */ (['h264', 'vp8'])) {
  scenario(`colours arrive by a WebSocket and ${codec} as the program drew them`, async stage => {
    const { viewer } = await watching(stage, page =>
      page.addInitScript(only => {
        const can = VideoDecoder.isConfigSupported;
        VideoDecoder.isConfigSupported = async config => {
          const answer = await can.call(VideoDecoder, config);
          const wanted = only === 'vp8' ? 'vp8' : 'avc1';
          return { ...answer, supported: answer.supported && config.codec.startsWith(wanted) };
        };
      }, codec),
    );
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
    assert.match(stage.host.log(), new RegExp(`by websocket codec=${codec}`));
  });
}

scenario('a click lands where it was made, also in a window of another shape', async stage => {
  const { home } = await stage.visitor({ viewport: { width: 500, height: 900 } });
  const viewer = await home.launch('pattern', stage.host);
  await viewer.page.goto(`${stage.host.origin}/stream/${viewer.instanceId}?transport=websocket`);
  const { flips } = await comes(viewer);
  const top = await viewer.onPage(320, 0);
  const box = await viewer.page.locator('heliostat-viewer').boundingBox();
  assert.ok(box && top.y - box.y > 60, 'there is room above the picture');
  await viewer.page.mouse.click(top.x, (box.y + top.y) / 2);
  await viewer.click(400, 100);
  await viewer.pattern.flipsBecome(flips + 1);
});

scenario('a picture that takes on another size goes on, and is clicked where it is seen', async stage => {
  stage.host.give('shrink.py', shrink);
  const { viewer } = await watching(stage, undefined, 'shrinking');
  await answers(viewer, 's');
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
  await viewer.picture.goesOn(10);
  await answers(viewer, 'st');
});

scenario('the picture outlives its capture on the same peer, and shows the last meanwhile', async stage => {
  const { viewer } = await watching(stage);
  await answers(viewer, 'k');
  const peer = await viewer.property('peerId');
  for (const signal of /** @type {const} */ (['SIGKILL', 'SIGUSR2'])) {
    const pid = await pidOf(viewer.instanceId, 'capture');
    process.kill(pid, signal);
    await until('the capture is gone', async () => {
      // Whatever happens, there is something to see.
      assert.ok((await viewer.picture.look()).width > 0);
      return !isAlive(pid);
    });
    await until('another one is there', async () => (await pidOf(viewer.instanceId, 'capture')) !== pid);
    await viewer.stateBecomes('connected');
    await viewer.picture.goesOn(10);
    await viewer.picture.moves(CONTENT);
  }
  assert.equal(await viewer.property('peerId'), peer);
  await answers(viewer, 'ko');
});

scenario('a program that is started again is seen on the same peer', async stage => {
  const { viewer, user } = await watching(stage);
  await answers(viewer, 'a');
  const peer = await viewer.property('peerId');
  const pid = await pidOf(viewer.instanceId, 'render');
  const rest = await stage.rest(user);
  await rest.post(`/api/v1/instances/${viewer.instanceId}/restart`, undefined);
  await until('another program runs', async () => (await pidOf(viewer.instanceId, 'render')) !== pid);
  await viewer.stateBecomes('connected');
  await viewer.pattern.textBecomes('');
  await answers(viewer, 'b');
  assert.equal(await viewer.property('peerId'), peer);
});

scenario('who leaves and comes back finds the program as it was', async stage => {
  const { viewer, page, user } = await watching(stage);
  await answers(viewer, 'z');
  const address = page.url();
  await page.reload();
  await comes(viewer);
  await viewer.pattern.textBecomes('z');
  await page.close();
  const again = new Viewer(await user.newPage());
  await again.page.goto(address);
  await comes(again);
  await again.pattern.textBecomes('z');
  await answers(again, 'zz');
});

scenario(
  'viewers by WebRTC and by WebSocket watch one program, and control passes between them',
  async stage => {
    const { home, page } = await stage.visitor();
    const direct = await home.launch('pattern', stage.host);
    await direct.connected();
    assert.equal(await direct.property('way'), 'webrtc');
    const { flips } = await direct.pattern.appears();
    const stranger = await stage.stranger();
    const other = new Viewer(await stranger.newPage());
    await other.page.goto(`${page.url()}?transport=websocket`);
    await comes(other);
    await other.becomesRole('spectator');
    await other.click(400, 100);
    await direct.click(400, 100);
    await direct.pattern.flipsBecome(flips + 1);
    await other.pattern.flipsBecome(flips + 1);
    await page.evaluate(() => {
      const viewer = /** @type {any} */ (document.querySelector('heliostat-viewer'));
      return new Promise(resolve => {
        viewer.addEventListener('viewers', (/** @type {any} */ { detail }) => {
          const spectator = detail.viewers.find((/** @type {any} */ { role }) => role === 'spectator');
          if (spectator) resolve(viewer.grantControl(spectator.viewer_id));
        });
        viewer.requestControl();
        viewer.releaseControl();
        viewer.requestControl();
      });
    });
    await other.becomesRole('controller');
    await other.click(400, 100);
    await other.pattern.flipsBecome(flips + 2);
    await direct.pattern.flipsBecome(flips + 2);
  },
);

/** Runs in the page: WebRTC finds no path until `testOpen` is set. */
function pathless() {
  const prototype = /** @type {any} */ (RTCPeerConnection.prototype);
  const set = prototype.setLocalDescription;
  prototype.setLocalDescription = function (/** @type {any[]} */ ...args) {
    const blocked = !(/** @type {any} */ (window).testOpen);
    if (blocked) this.setConfiguration({ ...this.getConfiguration(), iceTransportPolicy: 'relay' });
    return set.apply(this, args);
  };
}

scenario(
  'where WebRTC finds no path the picture comes by a WebSocket by itself, and by WebRTC when there is one',
  async stage => {
    const { home, page } = await stage.visitor();
    await page.addInitScript(pathless);
    await page.addInitScript(noteToasts);
    const viewer = await home.launch('pattern', stage.host);
    await viewer.hasTold(/the picture comes by a WebSocket/);
    await comes(viewer);
    await answers(viewer, 'w');

    // Every frame of the page until it has changed over: there is something to see in each.
    await page.evaluate(() => {
      const seen = { frames: 0, blank: 0, over: false };
      Object.assign(window, { testOpen: true, testSeen: seen });
      const canvas = document.createElement('canvas');
      const brush = canvas.getContext('2d', { willReadFrequently: true });
      const viewer = /** @type {any} */ (document.querySelector('heliostat-viewer'));
      const look = () => {
        const { picture } = viewer;
        brush?.drawImage(picture, 0, 0, 64, 36);
        const { data } = brush?.getImageData(0, 0, 64, 36) ?? { data: [] };
        seen.frames += 1;
        if (![...data].some((value, i) => i % 4 !== 3 && value > 20)) seen.blank += 1;
        if (!seen.over) requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
      window.dispatchEvent(new Event('online'));
    });
    await until('it comes by WebRTC', async () => (await viewer.property('way')) === 'webrtc');
    await viewer.picture.goesOn(10);
    await until('it is the video', () =>
      page.evaluate(() => {
        const { picture, video } = /** @type {any} */ (document.querySelector('heliostat-viewer'));
        return picture === video;
      }),
    );
    const seen = await page.evaluate(() => {
      const { testSeen } = /** @type {any} */ (window);
      testSeen.over = true;
      return testSeen;
    });
    assert.ok(seen.frames > 5 && seen.blank === 0, JSON.stringify(seen));
    await viewer.stateBecomes('connected');
    await answers(viewer, 'we');
  },
);

/** Runs in the page: by which way it is connected first. */
function firstWay() {
  const look = () => {
    const viewer = /** @type {any} */ (document.querySelector('heliostat-viewer'));
    if (viewer?.state === 'connected') Object.assign(window, { testFirst: viewer.way });
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

scenario(
  'where WebRTC found no path the page begins with a WebSocket the next time, until there is one',
  async stage => {
    const { home, page } = await stage.visitor();
    await page.addInitScript(pathless);
    await page.addInitScript(firstWay);
    const viewer = await home.launch('pattern', stage.host);
    const becomes = async (/** @type {string} */ way) =>
      await until(`it comes by ${way}`, async () => (await viewer.property('way')) === way);
    const first = async () => {
      await viewer.connected();
      return await page.evaluate(() => /** @type {any} */ (window).testFirst);
    };
    await becomes('websocket');
    await viewer.connected();
    await page.addInitScript(() => Object.assign(window, { testOpen: true }));
    await page.reload();
    assert.equal(await first(), 'websocket');
    await becomes('webrtc');
    await answers(viewer, 'w');
    await page.reload();
    assert.equal(await first(), 'webrtc');
  },
);

scenario('a page that cannot decode says in words what to do', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await page.addInitScript(() => {
    // As on pages without encryption.
    for (const name of ['VideoDecoder', 'isSecureContext'])
      Object.defineProperty(window, name, { value: undefined, configurable: true });
    Object.defineProperty(window, 'isSecureContext', { value: false });
  });
  await page.goto(`${stage.host.origin}/stream/${viewer.instanceId}?transport=websocket`);
  await viewer.stateBecomes('error');
  await viewer.tells(/This way needs https.*Open this page by https, or let it use WebRTC/);
});

/** A media socket of a client that is no browser, for a viewer of its own. @param {Stage} stage */
async function rude(stage) {
  const client = await stage.client();
  const { instance_id } = await client.launch('pattern');
  await client.statusBecomes(instance_id, 'RUNNING');
  const signalling = await Socket.greeted(client);
  signalling.send({ type: 'hello' });
  const { viewer_id } = await signalling.next('welcome');
  signalling.send({ type: 'watch', instance_id });
  await signalling.next('control');
  const path = `/ws/media?instance=${instance_id}&viewer=${viewer_id}&codecs=vp8`;
  const headers = { 'sec-websocket-protocol': 'heliostat.media.v1' };
  const open = async () => {
    const { socket, status } = await Socket.open(client, headers, path);
    assert.ok(socket, `/ws/media answered ${status}`);
    await until('it is let in', () => socket.binary.some(([, type]) => type === 0x90));
    return socket;
  };
  return { client, signalling, open, path, headers };
}

scenario(
  'a page has its sockets, and is a viewer by them, while its script is still on its way',
  async stage => {
    const { home, page } = await stage.visitor();
    const { instanceId } = await home.launch('pattern', stage.host);
    /** @type {import('playwright-core').Route[]} */
    const held = [];
    await page.route('**/joined/stream.js', route => void held.push(route));
    /** @type {string[]} */
    const sockets = [];
    /** @type {string[]} */
    const sent = [];
    page.on('websocket', socket => {
      sockets.push(new URL(socket.url()).pathname);
      socket.on('framesent', ({ payload }) => {
        if (typeof payload === 'string') sent.push(JSON.parse(payload).type);
      });
    });
    const lets = /viewer=\S+ by websocket/;
    const before = stage.host.log().length;
    await page.goto(`${stage.host.origin}/stream/${instanceId}?transport=websocket`, { waitUntil: 'commit' });
    const letIn = () => lets.test(stage.host.log().slice(before));
    await until('the script is asked for, and the media socket let in', () => held.length > 0 && letIn());
    assert.equal(held.length, 1);
    await held[0].continue();
    const viewer = new Viewer(page);
    await comes(viewer);
    await answers(viewer, 'k');
    assert.deepEqual(sockets.sort(), ['/ws', '/ws/media'], 'and uses these');
    assert.deepEqual(
      sent.filter(type => type !== 'ping' && type !== 'stats'),
      ['hello', 'watch'],
    );
  },
);

/** Says that all frames that came by this socket were taken. @param {Socket} socket */
function taken({ binary }) {
  const message = Buffer.alloc(14);
  message.set([1, 0x10]);
  message.writeUInt32LE(binary.filter(([, type]) => type === 0x91).length, 10);
  return message;
}

scenario(
  'a media socket that is there before its viewer goes to who claims it, once, and to nobody else',
  async stage => {
    const { client, signalling, headers, path } = await rude(stage);
    const instance = new URL(path, stage.host.origin).searchParams.get('instance');
    const [claim, unclaimed] = [randomUUID(), randomUUID()];
    /** @param {typeof client} by @param {string} of */
    const claims = async (by, of) => {
      const { socket, status } = await Socket.open(
        by,
        headers,
        `/ws/media?instance=${instance}&claim=${of}&codecs=vp8`,
      );
      assert.ok(socket, `/ws/media answered ${status}`);
      return socket;
    };
    const begun = Date.now();
    const foreign = await claims(await stage.client(), claim);
    const [mine, nobodys] = [await claims(client, claim), await claims(client, unclaimed)];
    /** @param {Socket} socket @param {number} type */
    const told = (socket, type) => socket.binary.some(bytes => bytes[1] === type);
    signalling.send({ type: 'watch', instance_id: instance, claim });
    await until('it is let in', () => told(mine, 0x90) && told(mine, 0x91));
    // The others are waited for as long as one may be deaf.
    const taking = setInterval(() => mine.sendBinary(taken(mine)), 200);
    const second = await claims(client, claim);
    try {
      for (const socket of [foreign, nobodys, second]) {
        assert.equal(await socket.ended(), 1008);
        assert.ok(!told(socket, 0x90));
        assert.ok(socket.binary.some(bytes => bytes[1] === 0x92 && /not_watching/.test(bytes.toString())));
      }
    } finally {
      clearInterval(taking);
    }
    assert.ok(Date.now() - begun < 25_000, 'none waits for long');
    assert.ok(told(mine, 0x90) && mine.closed === null, 'which costs the viewer nothing');
    const { status } = await Socket.open(client, headers, `${path}&claim=${claim}`);
    assert.equal(status, 400, 'a viewer or a claim');
  },
);

scenario('a media socket that sends rubbish, or takes no frames, is closed with a code', async stage => {
  const { signalling, open } = await rude(stage);
  const noisy = await open();
  for (let i = 0; i < 20; i += 1) noisy.sendBinary(Buffer.from([1, 99, 0, 0, 0, 0, 0, 0, 0, 0]));
  assert.equal(await noisy.ended(), 1008);
  assert.equal((await signalling.next('closed')).reason, 'fault');
  const liar = await open();
  for (let i = 0; i < 20; i += 1)
    liar.sendBinary(Buffer.from([1, 16, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 127]));
  assert.equal(await liar.ended(), 1008);
  // It reads, and says of nothing that it was taken.
  const deaf = await open();
  const begun = Date.now();
  assert.equal(await deaf.ended(), 1013);
  assert.ok(Date.now() - begun < 20_000);
  const frames = deaf.binary.filter(([, type]) => type === 0x91).length;
  assert.ok(frames > 0 && frames < 60, `${frames} frames went out to who takes none`);
  assert.match(stage.host.log(), /media socket=\d+ closed: no frames are taken/);
});

scenario('a media socket is its own viewer’s only, and of the right protocol', async stage => {
  const { client, path, headers } = await rude(stage);
  const other = await stage.client();
  const { socket: foreign } = await Socket.open(other, headers, path);
  assert.equal(await foreign?.ended(), 1008);
  assert.ok(foreign?.binary.some(bytes => bytes[1] === 0x92 && /not_watching/.test(bytes.toString())));
  const wrong = await Socket.open(client, { 'sec-websocket-protocol': 'heliostat.v1' }, path);
  assert.equal(wrong.status, 400);
  const evil = await Socket.open(client, { ...headers, origin: 'http://evil.example' }, path);
  assert.equal(evil.status, 403);
  const nowhere = await Socket.open(client, headers, '/ws/media?instance=x');
  assert.equal(nowhere.status, 400);
  const nobody = await Socket.open(client, { ...headers, cookie: '' }, path);
  assert.equal(nobody.status, 401);
});
