// Hundreds of instances of one host: what each costs, and whether the host answers while they come, fall and go.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { processes } from '../../tests/browser/harness/proc.js';
import { Client } from '../../tests/browser/harness/rest.js';
import { until } from '../../tests/browser/harness/wait.js';
import { percentile } from './numbers.js';
import { processorSeconds, proportionalMiB } from './processes.js';
import { role, startHost } from './rows/heliostat.js';

/** The host is asked so often while something happens, ms. */
const ASKED_EVERY = 100;
/** It rests for so long before what it takes at rest is measured, and that is measured for so long, ms. */
const SETTLE = 130_000;
const WATCH = 20_000;
/** So many instances stay while the others end, for what the host keeps of them. */
const KEPT = 10;
/** For whatever concerns all instances, ms. */
const WITHIN = 300_000;

const { values } = parseArgs({
  options: {
    instances: { type: 'string', default: '200' },
    'at-once': { type: 'string', default: '20' },
    rounds: { type: 'string', default: '10' },
  },
});
const [count, lanes, rounds] = [values.instances, values['at-once'], values.rounds].map(Number);
if (![count, lanes, rounds].every(n => Number.isInteger(n) && n > 0)) {
  console.error('--instances, --at-once and --rounds: whole numbers above 0');
  process.exit(2);
}

/** @type {[string, string][]} */
const rows = [];
/** @param {string} what @param {string} figure */
const row = (what, figure) => {
  rows.push([what, figure]);
  console.error(`${what}: ${figure}`);
};
const seconds = (/** @type {number} */ ms) => `${(ms / 1000).toFixed(1)} s`;
/** @param {number[]} took in ms */
const spread = took => [50, 99, 100].map(p => `${percentile(took, p).toFixed(0)}`).join(' · ');

/**
 * Asks the host again and again while something happens.
 *
 * @template T
 * @param {Client} client
 * @param {() => Promise<T>} work
 */
async function askedMeanwhile(client, work) {
  /** @type {Record<string, number[]>} */
  const took = { '/readyz': [], '/api/v1/instances': [] };
  let over = false;
  const asking = Object.keys(took).map(async path => {
    while (!over) {
      const begun = performance.now();
      const { status } = await client.get(path);
      if (status !== 200) throw new Error(`${path} answered ${status}`);
      took[path]?.push(performance.now() - begun);
      await sleep(ASKED_EVERY);
    }
  });
  const done = work().finally(() => {
    over = true;
  });
  const [result] = await Promise.all([done, ...asking]);
  return { result, took };
}

/** @param {string} when @param {Record<string, number[]>} took */
const answers = (when, took) => {
  for (const [path, times] of Object.entries(took))
    row(`\`GET ${path}\` ${when}, p50 · p99 · most, ms`, spread(times));
};

/** The programs that run, by instance. @param {Set<string>} ours */
function programs(ours) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const { pid, instance, role: of, state, command } of processes())
    if (
      instance &&
      ours.has(instance) &&
      of === 'render' &&
      state !== 'Z' &&
      /heliostat-orrery/.test(command)
    )
      if (!/bwrap/.test(command)) found.set(instance, pid);
  return found;
}

const host = await startHost(
  'still',
  { requests_per_minute: 1_000_000, sessions_per_hour: 1_000_000, launches_per_hour: 100_000 },
  undefined,
  undefined,
  { 'instances.capacity': Math.min(1000, count + lanes), 'instances.per_session': count },
);
/** @type {Set<string>} */
const ours = new Set();
try {
  const client = await Client.withSession(host);
  /** @param {string} [from] all that run are another process than this says of each @param {Map<string, number>} [before] */
  const allRun = (from, before) =>
    until(
      `all run${from ? ` ${from}` : ''}`,
      async () => {
        const { body } = await client.get('/api/v1/instances');
        const list = /** @type {{ instance_id: string, status: string }[]} */ (body.instances);
        const running = list.filter(({ instance_id: id, status }) => ours.has(id) && status === 'RUNNING');
        if (running.length < ours.size) throw new Error(`${running.length} of ${ours.size}`);
        if (!before) return true;
        const now = programs(ours);
        return [...ours].every(id => now.has(id) && now.get(id) !== before.get(id));
      },
      { within: WITHIN },
    );

  /** Until there are so many, the launches' own times into this @param {number[]} launches */
  const launchAll = async launches => {
    const began = performance.now();
    let begun = ours.size;
    const lane = async () => {
      while (begun < count) {
        begun += 1;
        const at = performance.now();
        const { status, body } = await client.post('/api/v1/instances', { app: 'target' });
        if (status !== 201) throw new Error(`a launch was answered ${status}: ${JSON.stringify(body)}`);
        launches.push(performance.now() - at);
        ours.add(body.instance_id);
        await until(
          'it runs',
          async () => (await client.get(`/api/v1/instances/${body.instance_id}`)).body.status === 'RUNNING',
          { within: WITHIN },
        );
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return performance.now() - began;
  };
  /** @type {number[]} */
  const launches = [];
  const launched = await askedMeanwhile(client, () => launchAll(launches));
  row(`${count} launches, ${lanes} at a time, until all run`, seconds(launched.result));
  row('one launch is answered, p50 · p99 · most, ms', spread(launches));
  answers('meanwhile', launched.took);

  await sleep(SETTLE);
  /** @type {Map<string, number[]>} */
  const groups = new Map();
  for (const pid of host.pids()) groups.set(role(pid), [...(groups.get(role(pid)) ?? []), pid]);
  const before = new Map([...groups].map(([name, pids]) => [name, processorSeconds(pids)]));
  await sleep(WATCH);
  for (const [name, pids] of groups) {
    const used = ((processorSeconds(pids) - (before.get(name) ?? 0)) / (WATCH / 1000)) * 100;
    const memory = proportionalMiB(pids);
    row(
      `at rest, ${name}: processes, % of a core in all, MiB in all and an instance`,
      `${pids.length}, ${used.toFixed(1)}, ${memory.toFixed(0)}, ${(memory / count).toFixed(2)}`,
    );
  }
  const rest = await askedMeanwhile(client, () => sleep(5_000));
  answers('at rest', rest.took);

  /** @type {number[]} */
  const back = [];
  let changed = 0;
  for (let n = 0; n < rounds; n += 1) {
    const held = programs(ours);
    const at = performance.now();
    await host.again();
    await allRun('again');
    back.push(performance.now() - at);
    const now = programs(ours);
    changed += [...ours].filter(id => now.get(id) !== held.get(id)).length;
  }
  row(`the host is killed and started: all back, ${rounds} rounds, p50 · p99 · most, ms`, spread(back));
  row('programs that were lost or begun anew by that', `${changed}`);

  const crashing = programs(ours);
  const crashed = await askedMeanwhile(client, async () => {
    const at = performance.now();
    for (const pid of crashing.values()) process.kill(pid, 'SIGKILL');
    await allRun('anew', crashing);
    return performance.now() - at;
  });
  row('all programs are killed at once: all run anew', seconds(crashed.result));
  answers('meanwhile', crashed.took);

  const others = [...ours].slice(KEPT);
  for (const id of others) {
    await client.delete(`/api/v1/instances/${id}`);
    ours.delete(id);
  }
  await until(
    'the others have ended',
    async () => (await client.get('/api/v1/instances')).body.instances.length <= KEPT,
    { within: WITHIN },
  );
  await sleep(SETTLE);
  row(`the host's memory with ${ours.size} left of them, MiB`, proportionalMiB([host.pid]).toFixed(0));

  await launchAll([]);
  const at = performance.now();
  await host.end();
  row(`SIGTERM with ${ours.size}: the host has ended`, seconds(performance.now() - at));
  const left = processes().filter(({ instance, state }) => instance && ours.has(instance) && state !== 'Z');
  row('processes left then', `${left.length}`);
} finally {
  await host.stop();
}
console.log('| what | figure |\n|---|---|');
for (const [what, figure] of rows) console.log(`| ${what} | ${figure} |`);
