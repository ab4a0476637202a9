// A network between browser and host that the test can cut: TCP only, media goes its own way.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** @typedef {import('node:net').Socket} Socket */

export class Wire {
  /** @type {Set<{ near: Socket, far: Socket }>} */
  #pairs = new Set();
  /** Whether new connections are refused. */
  refuses = false;

  /** @param {import('./host.js').Host} host */
  static async before(host) {
    const wire = new Wire(host);
    wire.server.listen(0, '127.0.0.1');
    await once(wire.server, 'listening');
    return wire;
  }

  /** @param {import('./host.js').Host} host */
  constructor(host) {
    this.host = host;
    this.server = createServer(near => {
      if (this.refuses) return near.resetAndDestroy();
      const far = connect(host.port, '127.0.0.1');
      const pair = { near, far };
      this.#pairs.add(pair);
      near.pipe(far);
      far.pipe(near);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ]) {
        one.on('error', () => {});
        one.on('close', () => {
          other.destroy();
          this.#pairs.delete(pair);
        });
      }
    });
  }

  get origin() {
    const { port } = /** @type {import('node:net').AddressInfo} */ (this.server.address());
    return `http://127.0.0.1:${port}`;
  }

  /** The address with the token, through here. */
  get entry() {
    return this.host.entry.replace(this.host.origin, this.origin);
  }

  /** Breaks every connection, as a router does that has lost its table. */
  reset() {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** Ends every connection, as a proxy does that is restarted. */
  end() {
    for (const { near, far } of this.#pairs) {
      near.end();
      far.end();
    }
  }

  /** From now on nothing passes on the present connections, and nobody is told. */
  swallow() {
    for (const { near, far } of this.#pairs) {
      near.unpipe(far);
      far.unpipe(near);
      near.resume();
      far.resume();
    }
  }

  close() {
    this.server.close();
    this.reset();
  }
}
