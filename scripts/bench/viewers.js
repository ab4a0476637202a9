// What many viewers of one instance cost its host. The viewers are in one process of their own, and decode nothing.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Client } from '../../tests/browser/harness/rest.js';
import { Socket } from '../../tests/browser/harness/socket.js';
import { until } from '../../tests/browser/harness/wait.js';
import { receivers } from './places.js';
import { processorSeconds, proportionalMiB } from './processes.js';
import { startHost } from './rows/heliostat.js';

/** How long each number of viewers is measured, ms. */
const WATCH = 10_000;
/** Until the last that came has settled. */
const SETTLE = 3_000;

const { values } = parseArgs({
  options: {
    viewers: { type: 'string', default: '1,8,32,100' },
    contents: { type: 'string', default: 'still,animation,text' },
  },
});
const numbers = values.viewers.split(',').map(Number);
const contents = values.contents.split(',');
if (!numbers.every(n => Number.isInteger(n) && n > 0)) {
  console.error(`--viewers: numbers with commas between them, not ${values.viewers}`);
  process.exit(2);
}
const limits = { viewers_per_instance: 1000, peers_per_instance: 1000, sockets_per_address: 2000 };

/** The process of all receivers, and what it says. */
class Receivers {
  /** @type {Map<number, Socket>} */
  #sockets = new Map();
  /** What came in each second so far. @type {{ frames: number, packets: number, connected: number, starved: number }[]} */
  seconds = [];
  connected = 0;

  constructor() {
    this.child = spawn(receivers, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.child.stdout }).on('line', line => this.#hear(JSON.parse(line)));
  }

  /** @param {object} order */
  #say(order) {
    this.child.stdin.write(`${JSON.stringify(order)}\n`);
  }

  /** @param {any} said */
  #hear(said) {
    if (said.error) console.error(`receivers: ${said.error}`);
    else if (said.offer) this.#sockets.get(said.of)?.send({ type: 'offer', sdp: said.offer });
    else if (said.frames === undefined) this.connected += 1;
    else this.seconds.push(said);
  }

  /** One more viewer, until it is connected. @param {any} host @param {string} instance */
  async join(host, instance) {
    const of = this.#sockets.size + 1;
    const socket = await Socket.greeted(await Client.withSession(host));
    this.#sockets.set(of, socket);
    socket.send({ type: 'watch', instance_id: instance });
    await socket.next('instance');
    this.#say({ open: of });
    const { sdp } = await socket.next('answer');
    this.#say({ answer: sdp, of });
    const candidate = await socket.next('candidate', message =>
      message.candidate?.candidate?.includes('127.0.0.1'),
    );
    this.#say({ candidate: candidate.candidate.candidate, of });
    await until('it is connected', () => this.connected === of);
  }

  async stop() {
    this.child.stdin.end();
    for (const socket of this.#sockets.values()) await socket.close();
  }
}

/** @type {string[][]} */
const rows = [];
for (const content of contents) {
  const host = await startHost(content, limits);
  const many = new Receivers();
  try {
    const owner = await Client.withSession(host);
    const { body } = await owner.post('/api/v1/instances', { app: 'target' });
    const running = async () =>
      (await owner.get(`/api/v1/instances/${body.instance_id}`)).body.status === 'RUNNING';
    await until('the instance runs', running);
    let one = null;
    for (const count of numbers) {
      while (many.connected < count) await many.join(host, body.instance_id);
      await sleep(SETTLE);
      const own = [host.pid];
      const [before, began, from] = [processorSeconds(own), performance.now(), many.seconds.length];
      await sleep(WATCH);
      const seconds = (performance.now() - began) / 1000;
      const cpu = (100 * (processorSeconds(own) - before)) / seconds;
      const memory = proportionalMiB(own);
      one ??= { cpu, memory, count };
      const each = (/** @type {number} */ now, /** @type {number} */ then, digits = 2) =>
        count > one.count ? ((now - then) / (count - one.count)).toFixed(digits) : '–';
      const seen = many.seconds.slice(from);
      const frames = seen.reduce((sum, s) => sum + s.frames, 0) / Math.max(1, seen.length) / count;
      const row = [
        content,
        `${count}`,
        cpu.toFixed(1),
        each(cpu, one.cpu),
        memory.toFixed(0),
        each(memory, one.memory),
        frames.toFixed(0),
      ];
      rows.push(row);
      console.error(row.join(' · '));
    }
  } finally {
    await many.stop();
    await host.stop();
  }
}
const head = [
  'content',
  'viewers',
  'host, % of a core',
  'each further',
  'MiB',
  'each further',
  'frames a second for each',
];
const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
console.log([head, head.map((_, i) => (i ? '---:' : '---')), ...rows].map(line).join('\n'));
