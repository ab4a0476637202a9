import { isAltGraph } from './keys.js';

/** @typedef {import('./keys.js').Key} Key */
/** @typedef {'Control'|'Shift'|'Alt'|'Meta'|'AltGraph'} Modifier */

/** @type {readonly Modifier[]} */
const ALL = ['Control', 'Shift', 'Alt', 'Meta', 'AltGraph'];

/** @param {string} key @returns {Modifier | null} */
export const modifierOf = key => ALL.find(name => name === key) ?? null;

/**
 * Which modifiers an event says are down. Systems swallow releases, and presses while the page has no focus; the flags
 * of each event are true.
 * @param {Key} event @param {ReadonlySet<Modifier>} held those that were pressed here and not released
 * @returns {{release: Modifier[], press: Modifier[]}} what makes the two agree
 */
export function mended(event, held) {
  const graph = isAltGraph(event);
  /** @type {Record<Modifier, boolean>} */
  const down = {
    Control: event.ctrlKey,
    Shift: event.shiftKey,
    Alt: event.altKey,
    Meta: event.metaKey,
    // Not every event can say.
    AltGraph: event.getModifierState ? graph : held.has('AltGraph'),
  };
  // Of its own kind an event may say anything: that none is down, while the other Shift is.
  const own = modifierOf(event.key);
  const others = ALL.filter(name => name !== own);
  return {
    release: others.filter(name => held.has(name) && !down[name]),
    // AltGr is reported as Control and Alt by some systems, and is itself pressed by its key alone.
    press: others.filter(
      name => down[name] && !held.has(name) && name !== 'AltGraph' && !(graph && name !== 'Shift'),
    ),
  };
}
