// Panics: each costs what the actor does, and nothing else. Only debug builds can be asked to panic.

import assert from 'node:assert/strict';

import { moving } from './harness/apps.js';
import { processesOf } from './harness/proc.js';
import { Bystander, KEYS_ON_REQUEST, note, Recovery, rounds } from './harness/recovery.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  // A panic is no crash of the test's.
  panics: true,
  sections: { instances: { capacity: 8 } },
  apps: paths => [moving(paths)],
  env: KEYS_ON_REQUEST,
});

/** @typedef {import('./harness/viewer.js').Viewer} Viewer */
/** @typedef {import('./harness/rest.js').Client} Client */
/** @typedef {import('./harness/stage.js').Stage} Stage */

/**
 * What a panic costs those who watch the instance that it hits: nothing; their sockets, which come back; their
 * connections, of which the pages make others; the program, which is started anew on the same connection when somebody
 * presses Restart.
 *
 * @typedef {'nothing' | 'socket' | 'connection' | 'restart'} Cost
 */

/**
 * Every kind of child, by its path with `*` for what is different each time.
 *
 * @type {Record<string, { name: string, cost: Cost, everybody?: boolean }>}
 */
const kinds = {
  'root/store': { name: 'the store', cost: 'nothing' },
  'root/history': { name: 'the history', cost: 'nothing' },
  'root/fleet': { name: 'the heartbeat', cost: 'nothing' },
  'root/sessions': { name: 'the sessions’ supervisor', cost: 'socket' },
  'root/sessions/*': { name: 'a session', cost: 'socket' },
  'root/mending': { name: 'the mending', cost: 'nothing' },
  'root/links': { name: 'the links’ end', cost: 'nothing' },
  'root/control': { name: 'the control socket', cost: 'nothing' },
  'root/http': { name: 'the web server', cost: 'socket' },
  'root/instances': { name: 'the instances’ supervisor', cost: 'connection', everybody: true },
  'root/instances/*': { name: 'an instance’s supervisor', cost: 'connection' },
  'root/instances/*/peers': { name: 'the peers’ supervisor', cost: 'connection' },
  'root/instances/*/peers/*': { name: 'a peer', cost: 'connection' },
  'root/instances/*/desktop': { name: 'the Desktop’s supervisor', cost: 'restart' },
  'root/instances/*/desktop/keeper': { name: 'the link to the keeper', cost: 'nothing' },
  'root/instances/*/desktop/display': { name: 'the display’s child', cost: 'nothing' },
  'root/instances/*/desktop/stage': { name: 'the stage’s supervisor', cost: 'nothing' },
  'root/instances/*/desktop/stage/window_manager': { name: 'the window manager’s child', cost: 'nothing' },
  'root/instances/*/desktop/stage/capture': { name: 'the capture’s child', cost: 'nothing' },
  'root/instances/*/desktop/stage/vnc': { name: 'the VNC server’s child', cost: 'nothing' },
  'root/instances/*/desktop/stage/input': { name: 'the input’s child', cost: 'nothing' },
  'root/instances/*/desktop/stage/render': { name: 'the app’s child', cost: 'nothing' },
  'root/instances/*/actor': { name: 'the instance’s actor', cost: 'nothing' },
};

/** Three panics in a minute are the budget of some, of the root's children together too. */
const BUDGET = 3;
/** Supervisors, in which nothing of ours runs, and what the whole host has once: more often in the soak. */
const times = Math.max(1, Math.floor(rounds / 3));

/** @param {string} path */
const kindOf = path => path.replace(/(sessions|instances|peers)\/[^/]+/g, '$1/*');

/** Somebody who has typed a word into a program of their own. */
class Somebody {
  /** @param {Stage} stage */
  static async launching(stage) {
    const { home, page, user } = await stage.visitor();
    const viewer = await home.launch('moving', stage.host);
    await viewer.connected();
    await viewer.pattern.appears();
    const somebody = new Somebody(stage, viewer, await stage.rest(user));
    for (const letter of 'kept') await somebody.types(letter);
    somebody.peer = await viewer.rememberConnection();
    page.on('websocket', () => {
      somebody.sockets += 1;
    });
    return somebody;
  }

  typed = '';
  peer = '';
  sockets = 0;

  /** @param {Stage} stage @param {Viewer} viewer @param {Client} rest */
  constructor(stage, viewer, rest) {
    this.stage = stage;
    this.viewer = viewer;
    this.rest = rest;
    this.recovery = new Recovery(viewer);
  }

  get id() {
    return this.viewer.instanceId;
  }

  /** The program answers. @param {string} letter */
  async types(letter) {
    await this.viewer.click(400, 100);
    await this.viewer.page.keyboard.type(letter);
    this.typed += letter;
    await this.viewer.pattern.textBecomes(this.typed);
  }

  processes() {
    return processesOf(this.id).map(({ pid }) => pid);
  }

  /** Every child that runs. @returns {Promise<{ path: string, generation: number }[]>} */
  async tree() {
    const { status, body } = await this.rest.get('/api/v1/admin/supervision');
    assert.equal(status, 200);
    /** @param {any} child @returns {any[]} */
    const running = child => (child.state === 'running' ? [child, ...child.children.flatMap(running)] : []);
    return running(body.root);
  }

  /** The path of a child that is of this somebody's. @param {string} kind */
  async pathOf(kind) {
    const { body } = await this.rest.get('/api/v1/sessions/current');
    const own = { sessions: body.session_id, instances: this.id, peers: this.peer };
    return kind.replace(
      /(sessions|instances|peers)\/\*/g,
      (_, list) => `${list}/${/** @type {Record<string, string>} */ (own)[list]}`,
    );
  }

  /** Makes a child panic, and sees that it costs what it may. @param {string} kind */
  async panic(kind) {
    const { viewer } = this;
    const { name, cost } = kinds[kind];
    const child = await this.pathOf(kind);
    const processes = this.processes();
    const panicked = () => this.stage.host.log().match(/panicked at/g)?.length ?? 0;
    const already = panicked();
    const sockets = this.sockets;
    await this.recovery.begin();
    const since = Date.now();
    const response = await this.rest.post('/api/v1/debug/panic', { child });
    assert.equal(response.status, 202, `${child}: ${JSON.stringify(response.body)}`);
    await until('it panics', () => panicked() > already);
    if (cost === 'socket') await this.comesBack(sockets);
    if (cost === 'connection') {
      const another = async () => ![null, undefined, this.peer].includes(await viewer.property('peerId'));
      await until('another peer takes over', another);
    }
    if (cost === 'restart') await this.restarts(name, since);
    else await this.waits(name, since);
    if (cost === 'connection') this.peer = await viewer.rememberConnection();
    assert.equal(await viewer.property('peerId'), this.peer, 'the same peer at the host');
    assert.ok(await viewer.sameConnection(), 'the same connection');
    if (cost === 'restart') {
      this.typed = '';
      await viewer.pattern.textBecomes('', 60_000);
    } else {
      assert.deepEqual(this.processes(), processes, 'every process was found again');
    }
    await this.types('x');
    await this.wholeAgain();
  }

  /** @param {string} name @param {number} since */
  async waits(name, since) {
    const { took } = await this.recovery.waitFor(
      since,
      async () => (await this.viewer.property('state')) === 'connected',
    );
    note(`a panic of ${name}`, took);
  }

  /** @param {string} name @param {number} since */
  async restarts(name, since) {
    await this.viewer.stateBecomes('failed');
    note(`a panic of ${name} (until told)`, Date.now() - since);
    await until('nothing of it is left', () => this.processes().length === 0);
    await this.viewer.page.getByRole('button', { name: 'Restart' }).click();
    await this.viewer.connected();
  }

  /** The page notices at its next message, and opens another socket. @param {number} before */
  async comesBack(before) {
    await until('the page has another socket', async () => {
      await this.viewer.page.evaluate(() =>
        /** @type {any} */ (document.querySelector('heliostat-viewer')).requestControl(),
      );
      return this.sockets > before;
    });
  }

  /** Every kind of child runs. */
  async wholeAgain() {
    await until('the tree is whole again', async () => {
      const running = new Set((await this.tree()).map(({ path }) => kindOf(path)));
      const missing = Object.keys(kinds).filter(kind => !running.has(kind));
      if (missing.length > 0) throw new Error(`without ${missing}`);
      return true;
    });
  }
}

scenario('every kind of child of a host is in the table of this file', async stage => {
  const somebody = await Somebody.launching(stage);
  const found = new Set((await somebody.tree()).map(({ path }) => kindOf(path)));
  found.delete('root');
  assert.deepEqual([...found].sort(), Object.keys(kinds).sort());
});

const ofAnInstance = Object.keys(kinds).filter(kind => kind.startsWith('root/instances/'));
const ofTheHost = Object.keys(kinds).filter(kind => !ofAnInstance.includes(kind));

for (const kind of ofAnInstance) {
  const { name, cost } = kinds[kind];
  const count = /supervisor/.test(name) ? Math.min(times, BUDGET) : Math.min(rounds, BUDGET);
  scenario(`a panic of ${name} costs ${cost}, ${count} times`, async stage => {
    const bystander = await Bystander.watching((await Somebody.launching(stage)).viewer);
    const somebody = await Somebody.launching(stage);
    await bystander.settle();
    for (let round = 0; round < count; round += 1) await somebody.panic(kind);
    await bystander.noticedNothing();
  });
}

scenario('a panic of a child of the whole host costs no picture and no program', async stage => {
  const other = await Somebody.launching(stage);
  const somebody = await Somebody.launching(stage);
  let bystander = await Bystander.watching(other.viewer);
  await bystander.settle();
  let spent = 0;
  for (let round = 0; round < times; round += 1) {
    for (const kind of ofTheHost) {
      if (spent === BUDGET) {
        // A new host has a new budget.
        await stage.host.crash();
        await stage.host.run();
        for (const one of [somebody, other]) {
          await until('it is back', async () => (await one.viewer.property('peerId')) !== one.peer);
          await one.viewer.connected();
          one.peer = await one.viewer.rememberConnection();
        }
        bystander = await Bystander.watching(other.viewer);
        spent = 0;
      }
      spent += 1;
      await somebody.panic(kind);
      if (kinds[kind].everybody) {
        await other.viewer.connected();
        await other.types('x');
        other.peer = await other.viewer.rememberConnection();
        bystander = await Bystander.watching(other.viewer);
      } else {
        await bystander.noticedNothing();
      }
    }
  }
});

scenario(
  'an instance whose actor panics again and again has failed, says so, and can be restarted',
  async stage => {
    const bystander = await Bystander.watching((await Somebody.launching(stage)).viewer);
    const somebody = await Somebody.launching(stage);
    await bystander.settle();
    const { viewer, rest } = somebody;
    const since = Date.now();
    await until(
      'it is given up',
      async () => {
        await rest.post('/api/v1/debug/panic', { child: `root/instances/${somebody.id}/actor` });
        return (await viewer.property('state')) === 'failed';
      },
      { within: 60_000 },
    );
    note('an instance’s actor panics again and again (until told)', Date.now() - since);
    await viewer.tells(/could not keep this instance going/);
    await until('nothing of it is left', () => somebody.processes().length === 0);
    const { status, reason } = await rest.instance(somebody.id);
    assert.deepEqual([status, reason], ['FAILED', 'tree_failed']);
    await viewer.page.getByRole('button', { name: 'Restart' }).click();
    await viewer.connected();
    somebody.typed = '';
    await somebody.types('x');
    await bystander.noticedNothing();
  },
);

scenario('when the tree gives up, the host exits 70 and the next one finds everything', async stage => {
  const somebody = await Somebody.launching(stage);
  const processes = somebody.processes();
  const child = stage.host.process;
  assert.ok(child);
  await until('it gives up', async () => {
    if (child.exitCode !== null) return true;
    await somebody.rest.post('/api/v1/debug/panic', { child: 'root/store' }).catch(() => {});
    return false;
  });
  assert.equal(child.exitCode, 70);
  await somebody.viewer.stateBecomes('reconnecting');
  await stage.host.run();
  await somebody.viewer.connected();
  await somebody.viewer.pattern.textBecomes('kept', 60_000);
  assert.deepEqual(somebody.processes(), processes);
});
