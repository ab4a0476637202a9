import { h } from '../lib/dom.js';
import { Poll } from '../lib/poll.js';
import { glyph } from './glyph.js';

const EVERY_MS = 3000;

/**
 * A real screenshot of an instance, refreshed while it can be seen. An error leaves the old picture.
 */
export class Thumbnail {
  #images = [h('img', { alt: '' }), h('img', { alt: '' })];
  #front = 0;
  #inView = false;
  #live = false;
  /** @type {string | null} */
  #url = null;
  #poll = new Poll(() => this.#refresh(), EVERY_MS);
  #observer = new IntersectionObserver(entries => {
    this.#inView = entries[entries.length - 1].isIntersecting;
    this.#decide();
  });

  /** @param {import('../lib/api.js').Instance} instance @param {import('../lib/api.js').Api} api */
  constructor(instance, api) {
    this.id = instance.instance_id;
    this.api = api;
    // The button below is the link for everybody; this one is only for the mouse.
    this.node = h(
      'a',
      { class: 'thumb', href: instance.url, tabIndex: -1, 'aria-hidden': 'true' },
      glyph(instance.app),
      ...this.#images,
    );
    this.#observer.observe(this.node);
  }

  /** @param {boolean} live whether there is something to see */
  live(live) {
    this.#live = live;
    this.#decide();
  }

  stop() {
    this.#observer.disconnect();
    this.#poll.stop();
    if (this.#url) URL.revokeObjectURL(this.#url);
  }

  #decide() {
    if (this.#live && this.#inView) this.#poll.start();
    else this.#poll.stop();
  }

  async #refresh() {
    const url = URL.createObjectURL(await this.api.screenshot(this.id));
    const next = this.#images[1 - this.#front];
    next.src = url;
    try {
      await next.decode();
    } catch (error) {
      URL.revokeObjectURL(url);
      throw error;
    }
    // The new one fades in over the old, which goes only then.
    next.className = 'on';
    this.#images[this.#front].className = this.#url ? 'under' : '';
    this.#front = 1 - this.#front;
    const old = this.#url;
    this.#url = url;
    // The old picture is still fading.
    if (old) setTimeout(() => URL.revokeObjectURL(old), 1000);
  }
}
