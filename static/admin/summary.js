import { h, setText } from '../lib/dom.js';
import { span, summary } from './model.js';

/** The figures above the tree. */
export class Summary {
  #tiles = new Map();

  /** @param {HTMLElement} node */
  constructor(node) {
    for (const [key, name] of [
      ['instances', 'instances'],
      ['children', 'children'],
      ['restarts', 'restarts in all'],
      ['down', 'given up'],
      ['uptime', 'up for'],
    ]) {
      const value = h('strong', {}, '–');
      const tile = h('div', { class: 'tile', 'data-tile': key }, value, h('span', {}, name));
      this.#tiles.set(key, { tile, value });
      node.append(tile);
    }
  }

  /** @param {import('./model.js').Tree} tree */
  show(tree) {
    const figures = summary(tree);
    this.#set('instances', String(figures.instances));
    this.#set('children', String(figures.children));
    this.#set('restarts', String(figures.restarts));
    this.#set('down', String(figures.down));
    this.#tiles.get('down').tile.classList.toggle('bad', figures.down > 0);
    this.#set('uptime', span(figures.uptime_ms));
  }

  /** @param {string} key @param {string} text */
  #set(key, text) {
    setText(this.#tiles.get(key).value, text);
  }
}
