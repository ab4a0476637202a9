import { BLOCKED_MS } from './deadlines.js';

/** What is made of a connection by which nothing comes, while it is not said to be lost. */
export class Doubt {
  #timer = 0;

  /**
   * @param {import('./link.js').Surroundings} around @param {import('./paths.js').Paths} paths
   * @param {() => boolean} leaves whether another way is worth leaving for
   * @param {() => void} blocked the path alone is lost: the host is heard by its socket
   */
  constructor(around, paths, leaves, blocked) {
    this.around = around;
    this.paths = paths;
    this.leaves = leaves;
    this.blocked = blocked;
  }

  /** Nothing comes. */
  silent() {
    const { around } = this;
    if (around.facts().silent) return;
    around.input({ type: 'silent', silent: true });
    this.paths.tell('silent');
    this.begin();
  }

  /** Something came. */
  heard() {
    if (!this.around.facts().silent) return;
    this.around.input({ type: 'silent', silent: false });
    this.paths.tell('connected');
  }

  begin() {
    const { env, facts, signalling } = this.around;
    // What has taken the path may have taken the socket along, over which the way back is agreed on.
    signalling.suspect();
    if (!this.leaves()) return;
    const since = env.now();
    this.stop();
    this.#timer = env.setTimeout(() => {
      const { peer, silent } = facts();
      if ((silent || peer === 'interrupted') && signalling.heardSince(since)) this.blocked();
    }, BLOCKED_MS);
  }

  stop() {
    this.around.env.clearTimeout(this.#timer);
  }
}
