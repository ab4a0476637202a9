import { h } from '../lib/dom.js';

/** More places than this are a number only. */
const MOST_DOTS = 16;

/**
 * "3 of 4 free", with a dot for each place.
 * @param {HTMLElement} node
 * @param {import('../lib/api.js').Capacity} capacity
 */
export function showCapacity(node, capacity) {
  const text = `${capacity.free} of ${capacity.total} free`;
  if (!node.hidden && node.textContent === text) return;
  node.hidden = false;
  const dots = h('span', { class: 'slots', 'aria-hidden': 'true' });
  if (capacity.total <= MOST_DOTS) {
    for (let i = 0; i < capacity.total; i++) dots.append(h('i', { class: i < capacity.free ? '' : 'used' }));
  }
  node.replaceChildren(dots, text);
}
