// A line with the troubles of real ones: the host here, a viewer in a network namespace of its own, and between them
// `heliostat-line` (tests/line), which carries their packets as it is told, and counts.
//
//   host ─── hstPIDn ═══ heliostat-line ═══ far ─── viewer        198.18.N.129 here, 198.19.N.129 there
//
// `down` is the way from the host to the viewer. docs/contributing.md says what a shape may name.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { ip, noNetworks, PREFIX, sweep, wrapped } from './network.js';
import { target, temporaryFolder } from './places.js';
import { until } from './wait.js';

/**
 * What one way does; what is not named is not there.
 *
 * @typedef {object} Shape
 * @property {number} [rate_kbps]
 * @property {number} [queue_ms]
 * @property {number} [delay_ms]
 * @property {number} [jitter_ms]
 * @property {boolean} [reorder]
 * @property {number} [loss] 0 to 1
 * @property {{ enter: number, leave: number, loss?: number }} [burst]
 * @property {boolean} [cut]
 * @property {boolean} [no_udp]
 * @property {number} [only_tcp_port]
 *
 * @typedef {{ down?: Shape, up?: Shape, both?: Shape }} Shapes
 * @typedef {{ packets: number, bytes: number }} Tally
 * @typedef {Record<'offered' | 'carried' | 'full' | 'lost' | 'cut' | 'blocked' | 'within', Tally>} Counters
 * @typedef {{ at: number, at_ms: number, down: Counters, up: Counters }} Count at: by the wall clock, ms
 * @typedef {{ at: number, ms: number, offered: number, carried: number, full: number, lost: number }} Second kbit/s of the
 *   down way in the time that ends at `at` and has lasted `ms`; `full` and `lost`: packets
 */

/** How long an order may take, ms. */
const PATIENCE = 5_000;

/** Why this machine cannot have lines, in words; false where it can. */
export function noLines() {
  return noNetworks() || (!existsSync('/dev/net/tun') && 'there is no /dev/net/tun here');
}

/** The newest build of the emulator. */
function emulator() {
  const built = ['debug', 'release']
    .map(build => join(target, build, 'examples/heliostat-line'))
    .filter(path => existsSync(path))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  assert.ok(built[0], 'the emulator is not built: cargo build --example heliostat-line');
  return built[0];
}

/** How many lines this process has made. */
let made = 0;

export class Line {
  #folder = temporaryFolder('line');
  #number = process.pid % 250;
  #index = made++;
  /** @type {import('node:child_process').ChildProcessWithoutNullStreams | null} */
  #process = null;
  /** Those that wait for an answer, oldest first. @type {((answer: { done?: boolean, error?: string }) => void)[]} */
  #asked = [];
  /** Where the viewer is, of its two addresses. */
  #place = 0;
  /** The counters so far, one a second. @type {Count[]} */
  counts = [];
  namespace = `${PREFIX}-${process.pid}-far${this.#index}`;
  device = `${PREFIX}${process.pid}n${this.#index}`;

  /** The host's address. */
  get host() {
    return `198.18.${this.#number}.${129 + 8 * this.#index}`;
  }

  /** The viewer's address. */
  get viewer() {
    return this.#address(this.#place);
  }

  /** @param {number} place */
  #address(place) {
    return `198.19.${this.#number}.${129 + 8 * this.#index + place}`;
  }

  /** Makes the namespace and a line without limits. @param {{ seed?: number, every?: number }} [options] every: ms between counts */
  static async make({ seed = 1, every = 1000 } = {}) {
    sweep();
    const line = new Line();
    process.once('exit', () => line.destroy());
    try {
      await line.#make(seed, every);
    } catch (error) {
      line.destroy();
      throw error;
    }
    return line;
  }

  /** @param {number} seed @param {number} every */
  async #make(seed, every) {
    const { namespace, device } = this;
    ip(['netns', 'add', namespace]);
    const ends = ['--near', device, '--far', 'far', '--far-netns', `/run/netns/${namespace}`];
    const child = spawn(emulator(), [...ends, '--seed', `${seed}`, '--every-ms', `${every}`]);
    this.#process = child;
    let said = '';
    child.stderr.on('data', text => {
      said += text;
    });
    let ready = false;
    createInterface({ input: child.stdout }).on('line', text => {
      const message = JSON.parse(text);
      if (message.down) this.counts.push({ at: Date.now(), ...message });
      else if (message.ready) ready = true;
      else this.#asked.shift()?.(message);
    });
    child.on('error', error => {
      said += error.message;
    });
    // Who writes to one that is gone learns it from its exit.
    child.stdin.on('error', () => {});
    await until('the line is there', () => {
      assert.ok(child.exitCode === null && child.pid, `the emulator has ended: ${said}`);
      return ready;
    });
    // What is sent faster than it is carried has to wait for the line, not to be lost before it.
    ip(
      ['-batch', '-'],
      `link set ${device} up txqueuelen 10000
       addr add ${this.host}/32 dev ${device}
       route add ${this.#address(0)}/32 dev ${device} src ${this.host}
       route add ${this.#address(1)}/32 dev ${device} src ${this.host}\n`,
    );
    ip(['-n', namespace, '-batch', '-'], 'link set lo up\nlink set far up txqueuelen 10000\n');
    this.#settle();
  }

  /** The viewer has the address of its place, and no other. */
  #settle() {
    ip(
      ['-n', this.namespace, '-batch', '-'],
      `addr flush dev far
       addr add ${this.viewer}/32 dev far
       route replace default dev far src ${this.viewer}\n`,
    );
  }

  /** The viewer comes under another address, as one that changes its network. */
  move() {
    this.#place = 1 - this.#place;
    this.#settle();
  }

  /** @param {object} order @returns {Promise<void>} when it counts */
  async #order(order) {
    const child = this.#process;
    assert.ok(child && child.exitCode === null, 'there is a line');
    const answer = new Promise((/** @type {(answer: { error?: string }) => void} */ done) =>
      this.#asked.push(done),
    );
    child.stdin.write(`${JSON.stringify(order)}\n`);
    const late = sleep(PATIENCE, { error: `no answer within ${PATIENCE} ms` }, { ref: false });
    const { error } = await Promise.race([answer, late]);
    if (error) throw new Error(`${JSON.stringify(order)}: ${error}`);
  }

  /** Is another line from now on. A way that is named is as its shape says, as a whole. @param {Shapes} shapes */
  change(shapes) {
    return this.#order(shapes);
  }

  /** What has become of all packets so far. @returns {Promise<Count>} */
  async count() {
    await this.#order({ count: true });
    return this.counts[this.counts.length - 1];
  }

  /** What was offered and carried of the down way, in each time between counts. @param {number} [since] wall clock, ms */
  seconds(since = 0) {
    return rates(this.counts.filter(({ at }) => at >= since));
  }

  /** Back to a line without limits. */
  reset() {
    return this.change({ both: {} });
  }

  /** What to put before a command that is to run in the viewer's network. */
  get there() {
    return ['ip', 'netns', 'exec', this.namespace];
  }

  /** A program that runs another there. @param {string} program */
  within(program) {
    return wrapped(this.#folder, this.there, program);
  }

  /** Ends it as a test does in its course. */
  async end() {
    const child = this.#process;
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.stdin.end();
      await Promise.race([ended, sleep(PATIENCE, null, { ref: false })]);
    }
    this.destroy();
  }

  /** Removes everything; what is gone already does not matter. */
  destroy() {
    this.#process?.kill('SIGKILL');
    this.#process = null;
    if (existsSync(`/run/netns/${this.namespace}`)) ip(['netns', 'delete', this.namespace]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** kbit/s and packets between counts. @param {Count[]} counts @returns {Second[]} */
export function rates(counts) {
  return counts.slice(1).map((count, i) => {
    const before = counts[i];
    const ms = count.at_ms - before.at_ms;
    const kbps = (/** @type {'offered' | 'carried'} */ key) =>
      ms > 0 ? ((count.down[key].bytes - before.down[key].bytes) * 8) / ms : 0;
    const packets = (/** @type {'full' | 'lost'} */ key) =>
      count.down[key].packets - before.down[key].packets;
    return {
      at: count.at,
      ms,
      offered: kbps('offered'),
      carried: kbps('carried'),
      full: packets('full'),
      lost: packets('lost'),
    };
  });
}
