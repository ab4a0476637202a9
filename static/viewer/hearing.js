import { decodeHost } from './frames.js';
import { HostClock } from './host-clock.js';
import { Latency } from './latency.js';
import { Pulse } from './pulse.js';

/**
 * @typedef {object} Hooks
 * @property {(t: bigint) => void} ping send one
 * @property {() => void} silent nothing comes back, said with each ping
 * @property {() => void} heard something came
 * @property {(ms: number | null) => void} latency
 * @property {(told: import('./photons.js').Told) => void} shown a press
 * @property {(status: import('./protocol.js').InstanceMessage) => void} status
 * @property {(reason: string) => void} closed
 */

/** What the host says beside the picture, over whatever carries that, and whether it says anything. */
export class Hearing {
  /** Round trips. */
  latency = new Latency();
  clock = new HostClock();
  #pulse;

  /** @param {import('./signalling.js').Env} env @param {Hooks} hooks */
  constructor(env, hooks) {
    this.env = env;
    this.hooks = hooks;
    this.#pulse = new Pulse(env, {
      ping: () => hooks.ping(this.latency.ping(env.now())),
      silent: hooks.silent,
    });
  }

  start() {
    this.#pulse.start();
  }

  stop() {
    this.#pulse.stop();
    this.latency.reset();
    this.clock.reset();
  }

  /** @param {ArrayBuffer} data */
  frame(data) {
    const frame = decodeHost(data);
    this.#pulse.heard();
    this.hooks.heard();
    if (frame?.type === 'pong') {
      const now = this.env.now();
      this.latency.pong(frame.t, now);
      this.clock.note(frame.t, frame.hostTime, now);
      this.hooks.latency(this.latency.value);
    } else if (frame?.type === 'status') this.hooks.status(frame.status);
    else if (frame?.type === 'shown') this.hooks.shown(frame.told);
    else if (frame?.type === 'closed') this.hooks.closed(frame.reason);
  }
}
