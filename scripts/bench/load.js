// How much one host bears. One host for all of it, many clients in this process.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { deafViewers, resident } from '../../tests/browser/harness/deaf.js';
import { OFFER } from '../../tests/browser/harness/offer.js';
import { Client } from '../../tests/browser/harness/rest.js';
import { Socket } from '../../tests/browser/harness/socket.js';
import { until } from '../../tests/browser/harness/wait.js';
import { percentile } from './numbers.js';
import { startHost } from './rows/heliostat.js';

/** Clients that do the same at once. */
const PARALLEL = 50;
/** How long each is measured, in milliseconds. */
const TIME = 10_000;
/** The same for joins: an instance holds 1000 peers, and one that is closed while it connects goes after seconds. */
const JOINING = 2_000;

const { values } = parseArgs({
  options: {
    sockets: { type: 'string', default: '10000' },
    idlers: { type: 'string', default: '500' },
  },
});

/** @type {[string, string][]} */
const rows = [];
/** @param {string} what @param {string} figure */
const row = (what, figure) => {
  rows.push([what, figure]);
  console.error(`${what}: ${figure}`);
};
const ms = (/** @type {number} */ value) => `${value.toFixed(1)} ms`;

/** Does the same again and again in several lanes; the times it took. @param {(lane: number) => Promise<void>} work @param {number} lanes @param {number} time */
async function repeatedly(work, lanes, time) {
  /** @type {number[]} */
  const took = [];
  const end = performance.now() + time;
  const lane = async (/** @type {number} */ number) => {
    while (performance.now() < end) {
      const begun = performance.now();
      await work(number);
      took.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return took;
}

/** @param {any} host @param {string} instance */
async function joins(host, instance) {
  const clients = await Promise.all(Array.from({ length: 8 }, () => Client.withSession(host)));
  const work = async (/** @type {number} */ lane) => {
    const socket = await Socket.greeted(clients[lane]);
    socket.send({ type: 'watch', instance_id: instance });
    await socket.next('instance');
    socket.send({ type: 'offer', sdp: OFFER });
    await socket.next('answer');
    socket.send({ type: 'unwatch' });
    // A socket that is closed before it was read to its end takes what it said along.
    socket.send({ type: 'ping', t: 1 });
    await socket.next('pong');
    await socket.close();
  };
  const took = await repeatedly(work, clients.length, JOINING);
  row(
    'joins a second, from the socket to the SDP answer, 8 at a time',
    (took.length / (JOINING / 1000)).toFixed(0),
  );
  row('one join, p50 · p99', `${ms(percentile(took, 50))} · ${ms(percentile(took, 99))}`);
}

/** @param {any} host */
async function requests(host) {
  const clients = await Promise.all(Array.from({ length: PARALLEL }, () => Client.withSession(host)));
  const took = await repeatedly(
    async lane => {
      const { status } = await clients[lane].get('/api/v1/instances');
      if (status !== 200) throw new Error(`answered ${status}`);
    },
    PARALLEL,
    TIME,
  );
  row(
    `REST under ${PARALLEL} clients (GET /instances), p50 · p99`,
    `${ms(percentile(took, 50))} · ${ms(percentile(took, 99))}`,
  );
  row('requests a second', (took.length / (TIME / 1000)).toFixed(0));
}

/** @param {any} host @param {number} count */
async function idleSockets(host, count) {
  const client = await Client.withSession(host);
  const before = resident(host.pid);
  /** @type {Socket[]} */
  const sockets = [];
  while (sockets.length < count) {
    sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => Socket.greeted(client)))));
  }
  await sleep(2_000);
  const grown = resident(host.pid) - before;
  row(
    `memory of ${count} idle sockets`,
    `${(grown / 1024).toFixed(0)} MiB, ${(grown / count).toFixed(1)} KiB each`,
  );
  await Promise.all(sockets.map(socket => socket.close()));
}

/** @param {any} host @param {string} instance @param {number} count */
async function clientsThatDoNotRead(host, instance, count) {
  const { waited, memory, gone } = await deafViewers(host, instance, count);
  row(`healthy clients beside ${count} that do not read, p99`, ms(percentile(waited, 99)));
  row('memory for each of them at most', `${memory.toFixed(0)} KiB`);
  row('until the last of them was cut off', `${(gone / 1000).toFixed(1)} s`);
}

const limits = {
  requests_per_minute: 1_000_000,
  sessions_per_hour: 1_000_000,
  sockets_per_address: 100_000,
  sockets_per_session: 10_000,
  messages_per_second: 1_000,
  // One that is closed while it connects goes after seconds.
  peers_per_instance: 1_000,
  pending_offers: 1_000,
  viewers_per_instance: 10_000,
};
const host = await startHost('still', limits);
try {
  const owner = await Client.withSession(host);
  const { body } = await owner.post('/api/v1/instances', { app: 'target' });
  const running = async () =>
    (await owner.get(`/api/v1/instances/${body.instance_id}`)).body.status === 'RUNNING';
  await until('the instance runs', running);
  await joins(host, body.instance_id);
  await requests(host);
  await clientsThatDoNotRead(host, body.instance_id, Number(values.idlers));
  await idleSockets(host, Number(values.sockets));
} finally {
  await host.stop();
}
console.log('| what | figure |\n|---|---|');
for (const [what, figure] of rows) console.log(`| ${what} | ${figure} |`);
