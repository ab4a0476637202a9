import { h, setText } from '../lib/dom.js';
import { reading } from './reading.js';
import { NOTHING, rows } from './stats.js';

const EVERY_MS = 1000;

/**
 * Reads the connection's statistics once a second and shows them while its panel is open.
 */
export class StatsPanel {
  #list = h('dl', {});
  /** @type {import('./stats.js').Totals | null} */
  #totals = null;
  #timer = 0;

  /**
   * @param {() => import('./carrying.js').Transport | null} peer the one that brings the picture
   * @param {() => number | null} latency ms
   * @param {() => import('./photons.js').Photons | undefined} photons
   * @param {(digest: import('./stats.js').Digest) => void} onDigest
   */
  constructor(peer, latency, photons, onDigest) {
    this.peer = peer;
    this.latency = latency;
    this.photons = photons;
    this.onDigest = onDigest;
    this.node = h(
      'aside',
      { class: 'stats', part: 'stats', hidden: true, 'aria-label': 'Connection statistics' },
      this.#list,
    );
  }

  get shown() {
    return !this.node.hidden;
  }
  set shown(shown) {
    this.node.hidden = !shown;
  }

  start() {
    this.stop();
    this.#timer = window.setTimeout(() => void this.#read(), EVERY_MS);
  }

  stop() {
    clearTimeout(this.#timer);
  }

  async #read() {
    const peer = this.peer();
    if (peer) {
      const now = performance.now();
      const read = await reading(peer, this.#totals, now, this.photons()).catch(() => null);
      if (read) {
        this.#totals = read.totals;
        this.onDigest(read.digest);
        if (!this.node.hidden) this.#show(rows(read.digest, this.latency()));
      }
    } else if (!this.node.hidden) {
      // What was measured before is true of nothing any more.
      this.#show(NOTHING);
    }
    this.start();
  }

  /** @param {[string, string][]} entries */
  #show(entries) {
    if (this.#list.childElementCount !== entries.length) {
      this.#list.replaceChildren(...entries.map(() => h('div', {}, h('dt'), h('dd'))));
    }
    entries.forEach(([label, value], i) => {
      const row = this.#list.children[i];
      setText(row.children[0], label);
      setText(row.children[1], value);
    });
  }
}
