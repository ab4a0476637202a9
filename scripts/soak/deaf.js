// Clients that stop reading while they are told things, beside healthy ones: fails where those wait, memory grows, or the
// others stay.

import { parseArgs } from 'node:util';

import { pattern } from '../../tests/browser/harness/apps.js';
import { deafViewers } from '../../tests/browser/harness/deaf.js';
import { Host } from '../../tests/browser/harness/host.js';
import { Client } from '../../tests/browser/harness/rest.js';

const { values } = parseArgs({
  options: { clients: { type: 'string', default: '500' }, rounds: { type: 'string', default: '3' } },
});
const [count, rounds] = [Number(values.clients), Number(values.rounds)];

/** Nearest rank. @param {number[]} times @param {number} share */
const quantile = (times, share) =>
  [...times].sort((a, b) => a - b)[Math.max(0, Math.ceil(share * times.length) - 1)];

/** What must hold, in ms and KiB. */
const MOST = { p99: 250, memory: 2_048, gone: 60_000 };

const host = await Host.start({
  sections: {
    instances: { capacity: 2 },
    limits: {
      requests_per_minute: 1_000_000,
      sockets_per_address: 10_000,
      viewers_per_instance: count + 10,
    },
  },
  apps: paths => [pattern(paths)],
});
/** @type {string[]} */
const broken = [];
try {
  const owner = await Client.withSession(host);
  const { instance_id } = await owner.launch('pattern');
  await owner.statusBecomes(instance_id, 'RUNNING');
  console.log(`| round | answers | healthy p50, p99, longest, ms | memory each, KiB | last gone after, s |`);
  console.log('|---|---|---|---|---|');
  for (let round = 1; round <= rounds; round += 1) {
    const { waited, memory, gone } = await deafViewers(host, instance_id, count);
    const figures = { p99: quantile(waited, 0.99), memory, gone };
    const times = [quantile(waited, 0.5), figures.p99, quantile(waited, 1)].map(t => t.toFixed(0));
    console.log(
      `| ${round} | ${waited.length} | ${times.join(', ')} | ${memory.toFixed(0)} | ${(gone / 1_000).toFixed(1)} |`,
    );
    for (const [name, most] of Object.entries(MOST)) {
      const figure = figures[/** @type {keyof typeof MOST} */ (name)];
      if (figure > most) broken.push(`round ${round}: ${name} ${figure.toFixed(0)}, at most ${most}`);
    }
  }
  await owner.delete(`/api/v1/instances/${instance_id}`);
  await host.stop();
} finally {
  await host.destroy();
}
host.removeFolder();
if (broken.length > 0) {
  console.error(broken.join('\n'));
  process.exitCode = 1;
}
