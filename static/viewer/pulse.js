/** Between two pings. */
const EVERY_MS = 1000;
/** So many pings in a row without an answer: the picture is probably frozen, whatever ICE thinks yet. */
const SILENT_PINGS = 2;

/** Whether anything still comes through a connection: pings over its data channel, once a second. */
export class Pulse {
  #timer = 0;
  #unanswered = 0;

  /**
   * @param {import('./signalling.js').Env} env
   * @param {{ping: () => void, silent: () => void}} hooks ping: send one; silent: nothing comes back, said with each ping
   */
  constructor(env, hooks) {
    this.env = env;
    this.hooks = hooks;
  }

  start() {
    this.#unanswered = 0;
    this.#beat();
  }

  stop() {
    this.env.clearTimeout(this.#timer);
  }

  /** Something came. */
  heard() {
    this.#unanswered = 0;
  }

  #beat() {
    this.stop();
    if (this.#unanswered >= SILENT_PINGS) this.hooks.silent();
    this.#unanswered += 1;
    this.hooks.ping();
    this.#timer = this.env.setTimeout(() => this.#beat(), EVERY_MS);
  }
}
