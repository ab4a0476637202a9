// Viewers that ask, and never read what they are told: what they cost others, and how long.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from './rest.js';
import { Socket } from './socket.js';
import { until } from './wait.js';

/** Healthy clients that ask all the time. */
const LANES = 4;
/** Between two questions of one of them, in milliseconds. */
const PAUSE = 20;
/** Deaf ones of one session. */
const TOGETHER = 25;
/** What each of them asks a second, in so many milliseconds some. */
const RATE = 20;
const TICK = 20;

/** Resident memory of a process, in KiB. @param {number} pid */
export const resident = pid =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** How many network and other sockets a process has open. @param {number} pid */
function socketsOf(pid) {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter(name => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

/**
 * Makes so many viewers of an instance that stop reading while others ask and read. The host has to allow so many
 * sockets, viewers and messages.
 *
 * @param {{ pid: number, origin: string, auth: 'open' | 'token', token: string }} some
 * @param {string} instance
 * @param {number} count
 * @returns {Promise<{ waited: number[], memory: number, gone: number }>} what the healthy waited for each answer, over
 *   REST and over a socket, in ms; the host's memory for each of the others at its most, in KiB; until the last of them
 *   was gone, in ms
 */
export async function deafViewers(some, instance, count) {
  const host = /** @type {import('./host.js').Host} */ (some);
  const healthy = await Client.withSession(host);
  const reader = await Socket.greeted(healthy);
  const [before, open] = [resident(host.pid), socketsOf(host.pid)];
  /** @type {Socket[]} */
  const deaf = [];
  while (deaf.length < count) {
    const client = await Client.withSession(host);
    const some = Array.from({ length: Math.min(TOGETHER, count - deaf.length) }, () =>
      Socket.greeted(client),
    );
    deaf.push(...(await Promise.all(some)));
  }
  for (const { stream } of deaf) stream.pause();
  const begun = performance.now();
  /** @type {number[]} */
  const waited = [];
  let most = before;
  let gone = 0;
  let next = 0;
  const asking = setInterval(() => {
    most = Math.max(most, resident(host.pid));
    for (let i = 0; i < (count * RATE * TICK) / 1_000; i += 1) {
      deaf[next % count].send({ type: 'watch', instance_id: instance });
      next += 1;
    }
  }, TICK);
  /** @param {() => Promise<unknown>} ask */
  const lane = async ask => {
    while (gone === 0) {
      const asked = performance.now();
      await ask();
      waited.push(performance.now() - asked);
      await sleep(PAUSE);
    }
  };
  const list = async () => {
    const { status } = await healthy.get('/api/v1/instances');
    if (status !== 200) throw new Error(`answered ${status}`);
  };
  let t = 0;
  const ping = () => {
    t += 1;
    reader.send({ type: 'ping', t });
    return reader.next('pong');
  };
  const lanes = Promise.all([...Array.from({ length: LANES - 1 }, () => lane(list)), lane(ping)]);
  try {
    await until('all are gone', () => socketsOf(host.pid) <= open + LANES, { within: 120_000 });
  } finally {
    gone = performance.now() - begun;
    clearInterval(asking);
    for (const { stream } of deaf) stream.destroy();
  }
  await lanes;
  await reader.close();
  return { waited, memory: (most - before) / count, gone };
}
