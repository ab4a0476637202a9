// What dies, hangs or lies behind a picture comes back, on the same connection, and costs nobody else anything.

import assert from 'node:assert/strict';

import { hungry, moving, troubled } from './harness/apps.js';
import { MemoryGroup, mayLimitMemory } from './harness/memory.js';
import { isAlive, keeperOf, pidOf, processesOf, programsOf, stateOf } from './harness/proc.js';
import { Bystander, KEYS_ON_REQUEST, note, Recovery, rounds } from './harness/recovery.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 8 } },
  apps: paths => [moving(paths), troubled(paths), hungry(paths)],
  env: KEYS_ON_REQUEST,
});

/** @typedef {import('./harness/viewer.js').Viewer} Viewer */
/** @typedef {'render' | 'xvfb' | 'wm' | 'capture'} Role */

/**
 * @typedef {object} Fault
 * @property {string} name a sentence: what happens
 * @property {Role} role whom it hits
 * @property {boolean} keeps whether the program lives through it
 * @property {RegExp} [told] what the page has to say meanwhile
 * @property {(pid: number) => (() => unknown) | Promise<() => unknown>} inflict does it; the answer tells when it is
 *   healed
 */

/** @param {number} pid @param {NodeJS.Signals} signal */
const send = (pid, signal) => process.kill(pid, signal);
/** @param {number} pid */
const gone = pid => () => !isAlive(pid);

/** Stops a process, again each time somebody continues it. @param {number} pid */
function holdStopped(pid) {
  send(pid, 'SIGSTOP');
  const again = setInterval(() => {
    if (isAlive(pid)) send(pid, 'SIGSTOP');
    else clearInterval(again);
  }, 50);
  return gone(pid);
}

/**
 * Stops a process once. Who watches it may continue it within a moment, so that one looks without a pause; where that was
 * missed, it is stopped again.
 *
 * @param {number} pid
 */
async function stopOnce(pid) {
  await until('it is stopped', () => {
    send(pid, 'SIGSTOP');
    for (let look = 0; look < 1000; look += 1) if (stateOf(pid) === 'T') return true;
    return false;
  });
  return () => stateOf(pid) !== 'T';
}

/** @param {NodeJS.Signals} signal */
const by = signal => (/** @type {number} */ pid) => {
  send(pid, signal);
  return gone(pid);
};

/** @type {Fault[]} */
const faults = [
  { name: 'the app is killed', role: 'render', keeps: false, told: /app/, inflict: by('SIGKILL') },
  { name: 'the app is stopped', role: 'render', keeps: true, told: /app was stopped/, inflict: stopOnce },
  { name: 'the app is held stopped', role: 'render', keeps: false, told: /app/, inflict: holdStopped },
  { name: 'the X server is killed', role: 'xvfb', keeps: false, told: /display/, inflict: by('SIGKILL') },
  {
    name: 'the X server is stopped',
    role: 'xvfb',
    keeps: true,
    told: /display was stopped/,
    inflict: stopOnce,
  },
  { name: 'the X server is held stopped', role: 'xvfb', keeps: false, told: /display/, inflict: holdStopped },
  { name: 'the capture is killed', role: 'capture', keeps: true, inflict: by('SIGKILL') },
  { name: 'the capture is stopped', role: 'capture', keeps: true, told: /capture/, inflict: stopOnce },
  { name: 'the capture hangs', role: 'capture', keeps: true, told: /./, inflict: by('SIGUSR2') },
  { name: 'the capture sends rubbish', role: 'capture', keeps: true, inflict: by('SIGUSR1') },
  { name: 'the window manager is killed', role: 'wm', keeps: true, inflict: by('SIGKILL') },
  { name: 'the window manager is stopped', role: 'wm', keeps: true, inflict: stopOnce },
];

/**
 * Launches the moving pattern and types a word into it.
 *
 * @param {import('./harness/stage.js').Stage} stage
 * @param {string} [app]
 */
async function launched(stage, app = 'moving') {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch(app, stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  await viewer.click(400, 100);
  await page.keyboard.type('kept');
  await viewer.pattern.textBecomes('kept');
  return viewer;
}

/** The picture answers to the user again. @param {Viewer} viewer @param {string} before what was typed */
async function answers(viewer, before) {
  await viewer.click(400, 100);
  await viewer.page.keyboard.type('x');
  await viewer.pattern.textBecomes(`${before}x`);
}

for (const { name, role, keeps, told, inflict } of faults) {
  scenario(`${name}: the picture is back on the same connection, ${rounds} times`, async stage => {
    const bystander = await Bystander.watching(await launched(stage));
    /** @type {Viewer | undefined} */
    let viewer;
    let typed = 'kept';
    for (let round = 0; round < rounds; round += 1) {
      // A program that lives through it goes on being used; after another the next one is the first to fall again.
      viewer ??= await launched(stage);
      const id = viewer.instanceId;
      const peer = await viewer.rememberConnection();
      const recovery = new Recovery(viewer);
      await recovery.begin();
      const others = new Map();
      for (const kind of /** @type {Role[]} */ (['render', 'xvfb', 'capture', 'wm'])) {
        others.set(kind, await pidOf(id, kind));
      }
      const pid = others.get(role);
      if (round === 0) await bystander.settle();
      const since = Date.now();
      const healed = await inflict(pid);
      const back = await recovery.waitFor(since, async () => (await healed()) && pidOf(id, role));
      note(name, back.took);

      assert.ok(await viewer.sameConnection(), 'the same RTCPeerConnection, connected');
      assert.equal(await viewer.property('peerId'), peer, 'the same peer at the host');
      if (told) {
        const said = back.told.map(({ state, words }) => `${state}: ${words}`);
        assert.ok(
          said.some(line => !line.startsWith('connected') && told.test(line)),
          `the page says what happens: ${JSON.stringify(said)}`,
        );
      }
      if (!keeps) typed = '';
      await viewer.pattern.textBecomes(typed, 60_000);
      await answers(viewer, typed);
      typed += 'x';
      // Nothing else was touched, and nothing runs twice.
      const touched = role === 'xvfb' && !keeps ? ['render', 'xvfb', 'capture', 'wm'] : [role];
      for (const [kind, before] of others) {
        if (!touched.includes(kind)) assert.equal(await pidOf(id, kind), before, `${kind} was left alone`);
        else if (!isAlive(before)) assert.notEqual(await pidOf(id, kind), before);
      }
      assert.equal(programsOf(id, 'xvfb').length, 1, 'one X server');
      await bystander.noticedNothing();
      // What falls again and again within a minute is given up, as it should be: the next rounds have an instance of
      // their own.
      if (!keeps || round % 3 === 2) {
        await stage.end(viewer);
        [viewer, typed] = [undefined, 'kept'];
      }
    }
  });
}

scenario(`the keeper is stopped: it is continued and nothing is lost, ${rounds} times`, async stage => {
  const bystander = await Bystander.watching(await launched(stage));
  const viewer = await launched(stage);
  await bystander.settle();
  const keeper = keeperOf(stage.host, viewer.instanceId);
  const app = await pidOf(viewer.instanceId, 'render');
  const recovery = new Recovery(viewer);
  await recovery.begin();
  for (let round = 0; round < rounds; round += 1) {
    const since = Date.now();
    const healed = await stopOnce(keeper);
    const { took } = await recovery.waitFor(since, healed);
    note('the keeper is stopped', took);
  }
  assert.equal(await pidOf(viewer.instanceId, 'render'), app);
  await answers(viewer, 'kept');
  await bystander.noticedNothing();
});

scenario(
  `the keeper is killed: FAILED is told, Restart brings the program back, ${rounds} times`,
  async stage => {
    const bystander = await Bystander.watching(await launched(stage));
    const viewer = await launched(stage);
    await bystander.settle();
    const id = viewer.instanceId;
    const peer = await viewer.rememberConnection();
    for (let round = 0; round < rounds; round += 1) {
      const before = processesOf(id).map(({ pid }) => pid);
      const since = Date.now();
      send(keeperOf(stage.host, id), 'SIGKILL');
      await viewer.stateBecomes('failed');
      note('the keeper is killed (until told)', Date.now() - since);
      await until('the page says why', async () => /keeper/.test(await viewer.says()));
      await until('the processes of the dead keeper are gone', () => before.every(pid => !isAlive(pid)));
      await viewer.page.getByRole('button', { name: /restart/i }).click();
      await viewer.connected();
      await viewer.pattern.textBecomes('', 60_000);
      await answers(viewer, '');
      assert.equal(await viewer.property('peerId'), peer, 'all on the same connection');
    }
    await bystander.noticedNothing();
  },
);

scenario(
  'a display that ends again and again is what has failed, and Restart starts another',
  async stage => {
    const viewer = await launched(stage);
    const { page } = viewer;
    const client = await stage.rest(page.context());
    const killed = new Set();
    await until('it has failed', async () => {
      // What makes its sandbox is not the display: without that there is no sandbox.
      const [display] = programsOf(viewer.instanceId, 'xvfb').filter(one => !killed.has(one.pid));
      if (display) {
        killed.add(display.pid);
        process.kill(display.pid, 'SIGKILL');
      }
      return (await client.instance(viewer.instanceId)).status === 'FAILED';
    });
    assert.equal((await client.instance(viewer.instanceId)).reason, 'display_failed');
    await viewer.stateBecomes('failed');
    await viewer.tells(/The display of .+ has failed The display was killed by signal 9\./);
    await page.getByRole('button', { name: 'Restart' }).click();
    await viewer.connected();
    await answers(viewer, '');
  },
);

scenario('a program that does not respond is reported, and goes on when it responds again', async stage => {
  const viewer = await launched(stage, 'troubled');
  const rest = await stage.rest(viewer.page.context());
  let due = Date.now() + 2000;
  await until(
    'the host says that it does not respond',
    async () => {
      // It hangs for 15 s each time. Who has answered no ping before is not said to hang: the first time may be too early.
      if (Date.now() >= due) {
        due += 20_000;
        await viewer.page.keyboard.press('F9');
      }
      const { status, reason } = await rest.instance(viewer.instanceId);
      return status === 'RUNNING' && reason === 'not_responding';
    },
    { within: 60_000 },
  );
  await until('the page says so, too', async () => /does not respond/.test(await viewer.says()));
  await until('it responds again', async () => {
    const { status, reason } = await rest.instance(viewer.instanceId);
    return status === 'RUNNING' && !reason;
  });
  await until('the page says nothing any more', async () => !/does not respond/.test(await viewer.says()));
  await answers(viewer, 'kept');
});

scenario('an app that takes all memory it may have is restarted', async stage => {
  const viewer = await launched(stage, 'troubled');
  const before = await pidOf(viewer.instanceId, 'render');
  const peer = await viewer.rememberConnection();
  await viewer.page.keyboard.press('F10');
  await until('the app has ended', () => !isAlive(before));
  await viewer.stateBecomes('connected');
  await viewer.pattern.textBecomes('', 60_000);
  assert.notEqual(await pidOf(viewer.instanceId, 'render'), before);
  assert.equal(await viewer.property('peerId'), peer);
  await until('what it wrote is kept', () => /memory/.test(stage.host.outputOf(viewer.instanceId)));
});

scenario(
  `the kernel kills an app that takes more memory than its group has: it is restarted, ${rounds} times`,
  async stage => {
    const group = MemoryGroup.make(128 << 20);
    assert.ok(group);
    try {
      const bystander = await Bystander.watching(await launched(stage));
      /** @type {Viewer | undefined} */
      let viewer;
      let typed = '';
      for (let round = 0; round < rounds; round += 1) {
        // Three times are within the budget of one program.
        if (viewer && round % 3 === 0) {
          await stage.end(viewer);
          viewer = undefined;
        }
        if (!viewer) {
          viewer = await launched(stage, 'hungry');
          typed = 'kept';
          await bystander.settle();
        }
        const id = viewer.instanceId;
        const peer = await viewer.rememberConnection();
        const [app, capture] = [await pidOf(id, 'render'), await pidOf(id, 'capture')];
        group.take(app);
        /** @type {number} */
        const kills = group.kills();
        const recovery = new Recovery(viewer);
        await recovery.begin();
        const since = Date.now();
        await viewer.page.keyboard.press('F10');
        const back = await recovery.waitFor(since, async () => !isAlive(app) && pidOf(id, 'render'));
        note('the kernel kills the app for its memory', back.took);
        assert.equal(group.kills(), kills + 1, 'it was the kernel');
        assert.ok(
          back.told.some(({ words }) => /app was killed by signal 9/.test(words)),
          JSON.stringify(back.told),
        );
        assert.equal(await viewer.property('peerId'), peer);
        assert.ok(await viewer.sameConnection());
        assert.equal(await pidOf(id, 'capture'), capture);
        typed = '';
        await viewer.pattern.textBecomes(typed, 60_000);
        await answers(viewer, typed);
        typed = 'x';
        await bystander.noticedNothing();
      }
    } finally {
      await group.remove();
    }
  },
  { skip: !(await mayLimitMemory()) && 'no memory controller of cgroups that can be written' },
);
