/**
 * What a key event means beyond the character that it names. Pure: events in, verdicts out.
 */

/**
 * @typedef {Pick<KeyboardEvent, 'key'|'code'|'location'|'ctrlKey'|'altKey'|'shiftKey'|'metaKey'>
 *   & {keyCode?: number, getModifierState?: (name: string) => boolean}} Key
 */

/** Whether the viewer's system gives Option and Command their own meaning. @param {string} platform */
export const isMac = platform => /mac|iphone|ipad|ipod/i.test(platform);

/** Whether AltGr is down, which some systems report as Control and Alt. @param {Key} event */
export const isAltGraph = event => event.getModifierState?.('AltGraph') ?? false;

/** @param {string} key */
const isLetter = key => /^[a-z]$/i.test(key);
/** @param {string} key */
const isCharacter = key => [...key].length === 1;

/**
 * The Latin letter by which programs and browsers know the key in commands: its own, or that of its place where the layout
 * has another alphabet. Browsers keep it in `keyCode`. Empty for keys without one.
 * @param {Key} event
 */
export function commandLetter({ key, code, keyCode = 0 }) {
  if (isLetter(key)) return key.toLowerCase();
  if (!isCharacter(key)) return '';
  if (keyCode >= 65 && keyCode <= 90) return String.fromCharCode(keyCode).toLowerCase();
  // Beyond the Latin script.
  if (/[\u0370-\u1dff\u2c00-\uffff]/.test(key) && /^Key[A-Z]$/.test(code)) return code.slice(3).toLowerCase();
  return '';
}

/**
 * Shortcuts that the browser keeps to itself, or that its user must not lose: by the letter, as the browser judges them.
 * @param {Key} event @param {boolean} locked whether the browser hands over its own (Keyboard Lock) @param {boolean} mac
 */
export function isReserved(event, locked, mac) {
  if (locked) return false;
  if (event.key === 'F11' || event.key === 'F12') return true;
  if (!(mac ? event.metaKey : event.ctrlKey) || isAltGraph(event)) return false;
  const letter = commandLetter(event);
  if (letter === '') return false;
  if (mac && 'qh'.includes(letter)) return true;
  if (event.altKey) return false;
  return (event.shiftKey ? 'ijntw' : 'ntw').includes(letter);
}

/** The way out of the picture without a mouse: Ctrl+Alt+Escape. @param {Key} event */
export const isWayOut = event => event.key === 'Escape' && event.ctrlKey && event.altKey;

/**
 * Whether the browser pastes at this key: plainly, or by a chord that is never the program's own.
 * @param {Key} event @param {boolean} mac @returns {'' | 'plain' | 'sure'}
 */
export function pastes(event, mac) {
  const { ctrlKey, altKey, shiftKey, metaKey } = event;
  if (mac) return metaKey && !ctrlKey && commandLetter(event) === 'v' ? 'sure' : '';
  if (altKey || metaKey) return '';
  if (ctrlKey) return commandLetter(event) !== 'v' ? '' : shiftKey ? 'sure' : 'plain';
  return shiftKey && event.key === 'Insert' ? 'sure' : '';
}

/** Whether programs copy or cut at this key. @param {Key} event */
export function copies(event) {
  if (!event.ctrlKey || event.altKey || event.metaKey) return false;
  return event.key === 'Insert' || 'cx'.includes(commandLetter(event) || '-');
}

/**
 * Whether Option made this character, as it does on a Mac: then it is no command. A letter or digit that Option leaves as
 * it is stays one.
 * @param {Key} event
 */
export const isOptionCharacter = event =>
  event.altKey &&
  !event.ctrlKey &&
  !event.metaKey &&
  isCharacter(event.key) &&
  !/^[a-z0-9 ]$/i.test(event.key);

/**
 * What a key means to the program, where that is not what it is called.
 * @param {Key} event @returns {string}
 */
export function meaning(event) {
  const command = event.ctrlKey || event.metaKey || event.altKey;
  if (!command || isAltGraph(event) || isOptionCharacter(event)) return event.key;
  return (!isLetter(event.key) && commandLetter(event)) || event.key;
}
