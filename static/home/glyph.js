import { h } from '../lib/dom.js';

/**
 * An app's initial on a colour of its own, always the same for the same id.
 * @param {{id: string, name: string}} app
 */
export function glyph(app) {
  let hue = 17;
  for (const character of app.id) hue = (hue * 31 + (character.codePointAt(0) ?? 0)) % 360;
  const letter = [...app.name.trim()][0]?.toUpperCase() ?? '?';
  const node = h('div', { class: 'glyph', 'aria-hidden': 'true' }, h('span', {}, letter));
  node.style.setProperty('--hue', String(hue));
  return node;
}
