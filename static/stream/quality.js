import { h } from '../lib/dom.js';

/** @typedef {import('../viewer/protocol.js').RenditionEntry} RenditionEntry */

/**
 * What the user may choose of the renditions that there are: what fits the line, or one of them. Hidden where there is one.
 */
export class Quality {
  #known = '';
  node = h('select', {
    class: 'quality',
    hidden: true,
    'aria-label': 'Picture quality',
    'data-action': 'quality',
  });

  /** @param {(rung: number | null) => void} choose */
  constructor(choose) {
    this.node.addEventListener('change', () =>
      choose(this.node.value === '' ? null : Number(this.node.value)),
    );
  }

  /** @param {RenditionEntry[]} renditions @param {{width: number, height: number}} [size] of the whole picture */
  show(renditions, size) {
    this.node.hidden = renditions.length < 2;
    const options = [['', 'Automatic'], ...renditions.map((one, rung) => [String(rung), words(one, size)])];
    const known = JSON.stringify(options);
    if (known === this.#known) return;
    this.#known = known;
    const { value } = this.node;
    this.node.replaceChildren(...options.map(([value, text]) => h('option', { value }, text)));
    this.node.value = value;
  }
}

/** @param {RenditionEntry} rendition @param {{width: number, height: number}} [size] */
export function words({ percent, fps }, size) {
  const picture = size
    ? `${Math.round((size.width * percent) / 100)}×${Math.round((size.height * percent) / 100)}`
    : `${percent} %`;
  return `${picture} · ${fps} fps`;
}
