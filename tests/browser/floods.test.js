// What comes in masses. Somebody else watches and steers meanwhile, and must not notice.

import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { basename } from 'node:path';

import { moving } from './harness/apps.js';
import { join } from './harness/crowd.js';
import { deafViewers, resident } from './harness/deaf.js';
import { OFFER } from './harness/offer.js';
import { openDescriptors } from './harness/proc.js';
import { Client } from './harness/rest.js';
import { Socket } from './harness/socket.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { never, until } from './harness/wait.js';

/** Viewers that one instance may have, its owner's apart. */
const VIEWERS = 60;
/** Connections that one instance may have. */
const PLACES = 48;
/** Lines that one scenario may add to the log of the host. */
const LINES = 700;

const { scenario } = suite({
  sections: {
    instances: { capacity: 4 },
    session: { resume_grace: '1s' },
    limits: {
      requests_per_minute: 1_000_000,
      messages_per_second: 100_000,
      sockets_per_session: 2_000,
      sockets_per_address: 2_000,
      viewers_per_instance: VIEWERS,
      peers_per_instance: PLACES,
    },
  },
  apps: paths => [moving(paths)],
});

/** @typedef {import('./harness/stage.js').Stage} Stage */

/** Somebody who uses a program, and whom nothing here concerns. */
class Healthy {
  /** @param {Stage} stage */
  static async launching(stage) {
    const { home } = await stage.visitor();
    const viewer = await home.launch('moving', stage.host);
    await viewer.connected();
    const { flips } = await viewer.pattern.appears();
    await viewer.rememberConnection();
    return new Healthy(stage, viewer, flips);
  }

  /** @param {Stage} stage @param {Viewer} viewer @param {number} flips */
  constructor(stage, viewer, flips) {
    this.stage = stage;
    this.viewer = viewer;
    this.flips = flips;
    this.lines = this.logged();
    this.open = openDescriptors(stage.host.pid);
  }

  get id() {
    return this.viewer.instanceId;
  }

  logged() {
    return this.stage.host.log().split('\n').length;
  }

  /** The same picture answers, the log is not flooded, and nothing is left of those who are gone. */
  async goesOn() {
    await this.viewer.click(400, 100);
    this.flips += 1;
    await this.viewer.pattern.flipsBecome(this.flips);
    assert.ok(await this.viewer.sameConnection(), 'on the same connection');
    assert.ok(this.logged() - this.lines < LINES, `${this.logged() - this.lines} lines of the log`);
    const { host } = this.stage;
    assert.doesNotMatch(host.log(), /panicked at/);
    await until('their descriptors are gone', () => {
      const now = openDescriptors(host.pid);
      // Connections that are kept alive for the next request come and go.
      if (now > this.open + 8) throw new Error(`${now} descriptors, ${this.open} before`);
      return true;
    });
  }

  /** A socket of a guest's that watches. */
  async spectator() {
    const socket = await Socket.greeted(await Client.guest(this.stage.host));
    socket.send({ type: 'watch', instance_id: this.id });
    await socket.next('instance');
    return socket;
  }
}

/**
 * Sends many messages, each of which is answered, and reads the answers meanwhile: who has more of them to read than
 * the host keeps for it does not read, and is hung up on.
 *
 * @param {number} count
 * @param {Socket} socket
 * @param {(i: number) => void} send the `i`th, from 1
 * @param {(received: any[]) => void} [read] looks at what came since the last look
 */
async function manyOf(count, socket, send, read = () => {}) {
  for (let i = 1; i <= count; i += 1) {
    send(i);
    if (i % 20 > 0) continue;
    socket.send({ type: 'ping', t: i });
    await socket.hears('all are answered', () =>
      socket.received.some(({ type, t }) => type === 'pong' && t === i),
    );
    read(socket.received);
    socket.received.length = 0;
  }
}

scenario('ten thousand candidates of one socket are refused one by one', async stage => {
  const healthy = await Healthy.launching(stage);
  const socket = await healthy.spectator();
  socket.send({ type: 'offer', sdp: OFFER });
  const { peer_id } = await socket.next('answer');
  const trickle = (/** @type {number} */ i) => {
    const candidate = { candidate: `candidate:${i} 1 udp 1 192.0.2.1 ${1 + i} typ host`, sdpMid: '0' };
    socket.send({ type: 'candidate', peer_id, candidate });
  };
  /** @type {any} */
  let refused;
  await manyOf(10_000, socket, trickle, read => {
    refused ??= read.find(({ type }) => type === 'error');
  });
  assert.equal(refused?.code, 'bad_candidate');
  await socket.close();
  await healthy.goesOn();
});

scenario('a thousand offers of one session leave room for those of others', async stage => {
  const healthy = await Healthy.launching(stage);
  const socket = await healthy.spectator();
  /** @type {any} */
  let refused;
  const offer = () => socket.send({ type: 'offer', sdp: OFFER });
  await manyOf(1_000, socket, offer, read => {
    refused ??= read.find(({ code }) => code === 'too_many_offers');
  });
  assert.ok(refused?.retry_after > 0);
  const other = await healthy.spectator();
  other.send({ type: 'offer', sdp: OFFER });
  await other.next('answer');
  await socket.close();
  await other.close();
  await healthy.goesOn();
});

scenario('guests whose offers never connect keep neither owner nor another guest out', async stage => {
  const healthy = await Healthy.launching(stage);
  /** @type {Socket[]} */
  const sockets = [];
  for (let guest = 0; guest < 4; guest += 1) {
    const client = await Client.guest(stage.host);
    for (let i = 0; i < 13; i += 1) {
      const socket = await Socket.greeted(client);
      socket.send({ type: 'watch', instance_id: healthy.id });
      await socket.next('instance');
      sockets.push(socket);
    }
  }
  const offer = () => {
    for (const socket of sockets) socket.send({ type: 'offer', sdp: OFFER });
  };
  const begun = Date.now();
  offer();
  const last = sockets.slice(-1)[0];
  await until('the last is answered or refused', () => {
    if (last.received.some(({ type }) => ['answer', 'error'].includes(type))) return true;
    throw new Error('not yet');
  });
  const { page } = healthy.viewer;
  const tab = new Viewer(await page.context().newPage());
  await tab.page.goto(`${stage.host.origin}/stream/${healthy.id}`);
  await tab.connected();
  await page.reload();
  await healthy.viewer.connected();
  // Not when the first of theirs are given up, after 20 s.
  assert.ok(Date.now() - begun < 18_000, `${Date.now() - begun} ms`);
  await tab.page.close();
  // On and on, as somebody would who means it.
  const again = setInterval(offer, 500);
  try {
    const other = new Viewer(await (await stage.stranger()).newPage());
    await other.page.goto(`${stage.host.origin}/stream/${healthy.id}`);
    await other.connected();
    await other.page.close();
  } finally {
    clearInterval(again);
  }
  await Promise.all(sockets.map(socket => socket.close()));
});

scenario("somebody else's viewer and peer are nobody's, and one socket is one viewer", async stage => {
  const healthy = await Healthy.launching(stage);
  const peer = await healthy.viewer.property('peerId');
  const host = await stage.rest(healthy.viewer.page.context());
  const socket = await healthy.spectator();
  const { viewers } = await socket.next('viewers', ({ count }) => count === 2);
  const [owner] = viewers.filter((/** @type {any} */ one) => one.role === 'owner');
  for (const type of ['restart_ice', 'candidate']) {
    socket.send({ type, peer_id: peer, sdp: OFFER, candidate: null });
    assert.equal((await socket.next('error')).code, 'unknown_peer', type);
  }
  socket.send({ type: 'watch', instance_id: healthy.id, peer_id: peer });
  assert.equal((await socket.next('closed')).reason, 'resume_expired');
  await never('it takes the peer over', () => socket.received.some(({ type }) => type === 'resumed'), 300);
  socket.send({ type: 'hello', viewer_id: owner.viewer_id });
  assert.notEqual((await socket.next('welcome')).viewer_id, owner.viewer_id);
  socket.send({ type: 'watch', instance_id: healthy.id, peer_id: peer });
  assert.equal((await socket.next('closed')).reason, 'resume_expired');
  for (let i = 0; i < 100; i += 1) {
    socket.send({ type: 'hello', viewer_id: `00000000-0000-4000-8000-${`${i}`.padStart(12, '0')}` });
    socket.send({ type: 'watch', instance_id: healthy.id });
    await socket.next('instance');
  }
  assert.equal((await host.instance(healthy.id)).viewers, 2);
  await socket.close();
  await healthy.goesOn();
});

scenario('no more viewers than may come in, the page says so, and its owner always does', async stage => {
  const healthy = await Healthy.launching(stage);
  const guest = await Client.guest(stage.host);
  const sockets = [];
  // The owner's own tab is none of them.
  for (let i = 0; i < VIEWERS; i += 1) {
    const socket = await Socket.greeted(guest);
    socket.send({ type: 'watch', instance_id: healthy.id });
    await socket.next('instance');
    sockets.push(socket);
  }
  const late = new Viewer(await (await stage.stranger()).newPage());
  await late.page.goto(`${stage.host.origin}/stream/${healthy.id}`);
  await late.stateBecomes('error');
  await late.tells(/Too many people are watching/);
  const owner = new Viewer(await healthy.viewer.page.context().newPage());
  await owner.page.goto(`${stage.host.origin}/stream/${healthy.id}`);
  await owner.connected();
  await owner.page.close();
  await sockets.pop()?.close();
  await sockets.pop()?.close();
  // By itself, when there is room.
  await late.connected();
  await late.page.close();
  await Promise.all(sockets.map(socket => socket.close()));
  await healthy.viewer.page.bringToFront();
  await healthy.goesOn();
});

scenario('viewers that do not read are cut off, and nobody waits for them', async stage => {
  const healthy = await Healthy.launching(stage);
  const { waited, memory, gone } = await deafViewers(stage.host, healthy.id, 50);
  const slowest = waited.sort((a, b) => a - b)[Math.ceil(waited.length * 0.99) - 1];
  // Far from what is meant, so that a busy machine does not fail it; the soak looks closer.
  assert.ok(slowest < 2_000, `the healthy waited ${slowest} ms`);
  assert.ok(memory < 2_048, `${memory} KiB each`);
  assert.ok(gone < 60_000, `gone after ${gone} ms`);
  await healthy.goesOn();
});

scenario('a thousand idle sockets cost little', async stage => {
  const healthy = await Healthy.launching(stage);
  const client = await Client.guest(stage.host);
  const before = resident(stage.host.pid);
  /** @type {Socket[]} */
  const sockets = [];
  while (sockets.length < 1_000) {
    sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => Socket.greeted(client)))));
  }
  const grown = resident(stage.host.pid) - before;
  assert.ok(grown < 256 * 1_000, `${grown} KiB`);
  await healthy.viewer.click(400, 100);
  healthy.flips += 1;
  await healthy.viewer.pattern.flipsBecome(healthy.flips);
  await Promise.all(sockets.map(socket => socket.close()));
  await healthy.goesOn();
});

/**
 * Sends on the data channel of a further connection of a page's.
 *
 * @param {import('playwright-core').Page} page
 * @param {{ frames: number[][], times: number, text?: string, closes?: boolean }} what closes: whether the channel has to
 *   close at it, for which the host may take its time
 * @returns {Promise<string>} the channel's state after a while
 */
const send = (page, what) =>
  page.evaluate(async ({ frames, times, text, closes }) => {
    const { channel } = /** @type {any} */ (window).testCrowd.at(-1);
    const wait = (/** @type {number} */ ms) => new Promise(resolve => setTimeout(resolve, ms));
    for (let i = 0; i < 100 && channel.readyState !== 'open'; i += 1) await wait(100);
    if (channel.readyState !== 'open') throw new Error(`the channel is ${channel.readyState}`);
    const bytes = frames.map(frame => Uint8Array.from(frame));
    for (let i = 0; i < times && channel.readyState === 'open'; i += 1) channel.send(bytes[i % bytes.length]);
    if (text && channel.readyState === 'open') channel.send(text);
    for (let i = 0; i < 100 && channel.bufferedAmount > 0 && channel.readyState === 'open'; i += 1)
      await wait(100);
    await wait(500);
    for (let i = 0; i < 200 && closes && channel.readyState === 'open'; i += 1) await wait(100);
    return channel.readyState;
  }, what);

const head = (/** @type {number} */ type) => [1, type, 0, 0, 0, 0, 0, 0, 0, 0];
/** A click in the middle of the picture: down, up. */
const click = [1, 0].map(pressed => [...head(3), 0, pressed, 0xff, 0x7f, 0xff, 0x7f]);

scenario('a hundred thousand events of a spectator reach nobody', async stage => {
  const healthy = await Healthy.launching(stage);
  const guest = await (await stage.stranger()).newPage();
  await guest.goto(`${stage.host.origin}/stream/${healthy.id}`);
  await new Viewer(guest).connected();
  await join(guest, { instance: healthy.id, connected: 1, connecting: 0 });
  await send(guest, { frames: click, times: 100_000 });
  assert.equal((await healthy.viewer.pattern.appears()).flips, healthy.flips);
  await until('the host notes it', () =>
    /role=spectator sends input, which is dropped/.test(stage.host.log()),
  );
  await guest.close();
  await healthy.goesOn();
});

scenario('a spectator who comes and goes ten thousand times leaves the history readable', async stage => {
  const healthy = await Healthy.launching(stage);
  const guest = await Client.guest(stage.host);
  const sockets = await Promise.all(Array.from({ length: 32 }, () => Socket.greeted(guest)));
  for (let i = 0; i < 320; i += 1) {
    for (const socket of sockets) {
      socket.send({ type: 'watch', instance_id: healthy.id });
      socket.send({ type: 'unwatch' });
      socket.send({ type: 'ping', t: i });
    }
    await Promise.all(sockets.map(socket => socket.next('pong', ({ t }) => t === i)));
  }
  const host = await stage.rest(healthy.viewer.page.context());
  /** @param {string} query */
  const kinds = async query => {
    const { body } = await host.get(`/api/v1/admin/events?limit=1000${query}`);
    return body.events.map((/** @type {any} */ event) => event.kind);
  };
  const here = `&actor=root/instances/${healthy.id}`;
  await until('the audit is there', async () => {
    const audit = await kinds('&class=audit');
    for (const kind of ['signed_in', 'instance_created', 'instance_launched'])
      if (!audit.includes(kind)) throw new Error(`${kind} is missing`);
    return true;
  });
  const visits = await kinds(`${here}&class=visits`);
  assert.ok(visits.includes('viewer_joined') && visits.length < 30, `${visits.length} visits`);
  assert.ok((await kinds('')).includes('instance_created'), 'among all of them as well');
  await Promise.all(sockets.map(socket => socket.close()));
  await healthy.goesOn();
});

scenario('input that is none closes its channel and nothing else', async stage => {
  const healthy = await Healthy.launching(stage);
  const { page } = healthy.viewer;
  const frames = [
    [],
    [1],
    head(3),
    [...head(3), 200, 1, 0, 0, 0, 0],
    [...head(3), 0, 7, 0, 0, 0, 0],
    head(99),
    [2, ...head(7).slice(1)],
    [...head(6), ...Array(2_000).fill(0x41)],
    [...head(6), 0xff, 0xfe],
    Array(60_000).fill(1),
  ];
  for (const what of [
    { frames, times: 30, closes: true },
    { frames: [[]], times: 0, text: 'x'.repeat(60_000) },
  ]) {
    await join(page, { instance: healthy.id, connected: 1, connecting: 0 });
    const state = await send(page, what);
    if (what.closes) assert.notEqual(state, 'open');
  }
  assert.equal((await healthy.viewer.pattern.appears()).flips, healthy.flips);
  await page.evaluate(() => {
    for (const { socket, peer } of /** @type {any} */ (window).testCrowd) {
      socket.close();
      peer.close();
    }
  });
  await healthy.goesOn();
});

scenario("rubbish on the sockets of an instance's own processes costs nobody the picture", async stage => {
  const healthy = await Healthy.launching(stage);
  const files = stage.host.socketFiles().filter(path => path.includes(healthy.id));
  assert.deepEqual(files.map(path => basename(path)).sort(), ['capture.sock', 'keeper.sock']);
  for (const path of files) {
    for (const bytes of [
      Buffer.alloc(64, 0xff),
      Buffer.alloc(1 << 20),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    ]) {
      const stream = createConnection(path);
      stream.on('error', () => {});
      stream.resume();
      stream.write(bytes);
      await until('it is hung up on', () => stream.closed);
    }
  }
  await healthy.goesOn();
});
