import { Backoff } from '../lib/backoff.js';

/**
 * The tree as it is pushed. Begins anew for ever, with back-off, until it is stopped.
 *
 * Events: `tree` (detail: Tree), `child` (detail: ChildEvent), `missed` (detail: number), `state` (detail: 'live' or
 * 'away'), `refused` (detail: ApiError; the feed has stopped).
 */
export class Feed extends EventTarget {
  #backoff = new Backoff();
  #timer = 0;
  /** @type {EventSource | null} */
  #source = null;
  #query = '';

  /** @param {import('../lib/api.js').Api} api */
  constructor(api) {
    super();
    this.api = api;
  }

  start() {
    this.stop();
    const query = this.#query ? `?${this.#query}` : '';
    const source = new EventSource(`${this.api.base}/admin/supervision/stream${query}`);
    this.#source = source;
    /** @param {string} type @param {(data: any) => unknown} pick */
    const pass = (type, pick) =>
      source.addEventListener(type, event => {
        this.#backoff.reset();
        this.#emit('state', 'live');
        this.#emit(type, pick(JSON.parse(/** @type {MessageEvent} */ (event).data)));
      });
    pass('tree', tree => tree);
    pass('child', event => event);
    pass('missed', ({ missed }) => missed);
    source.addEventListener('error', () => void this.#lost(source));
  }

  /** Begins anew with something else of the tree. @param {string} query */
  want(query) {
    this.#query = query;
    if (this.#source) this.start();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  /** An EventSource does not say why it was refused: ask the same in another way. @param {EventSource} source */
  async #lost(source) {
    if (source !== this.#source) return;
    this.stop();
    this.#emit('state', 'away');
    try {
      await this.api.call('GET', '/admin/supervision');
    } catch (error) {
      const { status } = /** @type {import('../lib/api.js').ApiError} */ (error);
      if (status === 401 || status === 403) {
        this.#emit('refused', error);
        return;
      }
    }
    this.#timer = window.setTimeout(() => this.start(), this.#backoff.next());
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
