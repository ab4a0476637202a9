import { InstanceCard } from './card.js';

/** @typedef {import('../lib/api.js').Instance} Instance */

/** The user's instances: one card each, kept while its instance is listed. */
export class InstanceList {
  /** @type {Map<string, InstanceCard>} */
  #cards = new Map();

  /** @param {HTMLElement} node @param {import('../lib/api.js').Api} api @param {() => void} onChange */
  constructor(node, api, onChange) {
    this.node = node;
    this.api = api;
    this.onChange = onChange;
  }

  get empty() {
    return this.#cards.size === 0;
  }

  /** @param {Instance[]} instances @param {number} now ms since 1970, by the host's clock */
  show(instances, now) {
    const listed = new Set(instances.map(i => i.instance_id));
    for (const [id, card] of this.#cards) {
      if (listed.has(id)) continue;
      card.remove();
      this.#cards.delete(id);
    }
    // Newest first; cards are moved only when their order has changed, so that focus stays where it is.
    const sorted = [...instances].sort((a, b) => b.created - a.created);
    sorted.forEach((instance, index) => {
      let card = this.#cards.get(instance.instance_id);
      if (!card) {
        card = new InstanceCard(instance, this.api, this.onChange);
        this.#cards.set(instance.instance_id, card);
      }
      card.show(instance, now);
      if (this.node.children[index] !== card.node)
        this.node.insertBefore(card.node, this.node.children[index] ?? null);
    });
  }
}
