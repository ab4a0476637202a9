// Upgrades of a host with many instances, of which some are watched: how long pictures stand still, and whether any program is lost.

import { parseArgs } from 'node:util';

import { moving, still } from '../../tests/browser/harness/apps.js';
import { launchBrowser } from '../../tests/browser/harness/browser.js';
import { Host } from '../../tests/browser/harness/host.js';
import { processes } from '../../tests/browser/harness/proc.js';
import { Recovery } from '../../tests/browser/harness/recovery.js';
import { Stage } from '../../tests/browser/harness/stage.js';
import { until } from '../../tests/browser/harness/wait.js';
import { percentile } from './numbers.js';

const { values } = parseArgs({
  options: {
    instances: { type: 'string', default: '50' },
    viewers: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
  },
});
const [count, watched, rounds] = [values.instances, values.viewers, values.rounds].map(Number);
/** For whatever concerns all instances, ms. */
const WITHIN = 300_000;

const host = await Host.start({
  apps: paths => [still(paths), moving(paths)],
  sections: {
    instances: { capacity: count + watched, per_session: count + watched },
    limits: { launches_per_hour: 100_000, requests_per_minute: 1_000_000 },
  },
});
const browser = await launchBrowser();
const stage = new Stage(host, browser);
/** The programs of the instances that run. */
const programs = () =>
  processes()
    .filter(({ instance, role }) => instance && role === 'render' && host.instances.has(instance))
    .map(({ pid }) => pid)
    .sort();
/** @type {string[][]} */
const rows = [];
try {
  const client = await stage.client();
  for (let n = 0; n < count; n += 1) {
    const { body } = await client.post('/api/v1/instances', { app: 'still' });
    host.instances.add(body.instance_id);
  }
  const running = async () => {
    const { body } = await client.get('/api/v1/instances');
    const all = /** @type {{ status: string }[]} */ (body.instances);
    if (all.some(({ status }) => status !== 'RUNNING') || all.length < count)
      throw new Error(`${all.filter(({ status }) => status === 'RUNNING').length} of ${count} run`);
    return true;
  };
  await until('all run', running, { within: WITHIN });
  const viewers = [];
  for (let n = 0; n < watched; n += 1) {
    const { home } = await stage.visitor();
    const viewer = await home.launch('moving', host);
    await viewer.connected();
    await viewer.pattern.appears();
    viewers.push(viewer);
  }
  const before = programs();
  for (let round = 1; round <= rounds; round += 1) {
    const watching = viewers.map(viewer => new Recovery(viewer));
    for (const recovery of watching) await recovery.begin();
    const since = Date.now();
    const { code, said } = await host.command('upgrade');
    if (code !== 0) throw new Error(said);
    const took = Date.now() - since;
    const gone = await Promise.all(watching.map(async recovery => (await recovery.waitFor(since, () => true)).took));
    await until('all run', running, { within: WITHIN });
    const all = Date.now() - since;
    const now = programs();
    const lost = before.filter(pid => !now.includes(pid)).length;
    const row = [`${round}`, `${took}`, percentile(gone, 50).toFixed(0), percentile(gone, 100).toFixed(0), `${all}`, `${lost}`];
    rows.push(row);
    console.error(row.join(' · '));
  }
} finally {
  await browser.close();
  await host.stop().finally(() => host.destroy());
}
const head = [
  'upgrade',
  'the command, ms',
  'no picture, p50, ms',
  'most, ms',
  'all instances known, ms',
  'programs lost',
];
const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
console.log([head, head.map(() => '---:'), ...rows].map(line).join('\n'));
