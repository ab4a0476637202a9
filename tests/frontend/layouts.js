/**
 * Keyboards of the world, as browsers report them: what each key makes plainly, with Shift and with AltGr (on a Mac:
 * Option); and the commands that their users expect of some.
 */

/** @typedef {'Windows' | 'Linux' | 'macOS'} Platform */

/**
 * @typedef {object} Layout
 * @property {string} name
 * @property {[code: string, plain: string, shift?: string, third?: string][]} keys
 * @property {[code: string, shift: boolean, command: string][]} commands with Control, what the program is to see
 * @property {Platform[]} [thirdOn] where the third level is as here
 */

/** @type {Layout[]} */
// biome-ignore format: tables
export const LAYOUTS = [
  {
    name: 'US',
    keys: [['KeyA', 'a', 'A'], ['KeyZ', 'z', 'Z'], ['Digit1', '1', '!'], ['Digit7', '7', '&'], ['Semicolon', ';', ':'],
      ['BracketRight', ']', '}'], ['Slash', '/', '?'], ['Equal', '=', '+'], ['Backquote', '`', '~']],
    commands: [['KeyC', false, 'Control+c'], ['KeyZ', false, 'Control+z'], ['KeyZ', true, 'Control+Shift+z'],
      ['Equal', true, 'Control+plus'], ['Slash', false, 'Control+slash'], ['Digit1', false, 'Control+1']],
  },
  {
    name: 'German',
    keys: [['KeyZ', 'y', 'Y'], ['KeyY', 'z', 'Z'], ['Minus', 'ß', '?'], ['BracketLeft', 'ü', 'Ü'], ['Semicolon', 'ö', 'Ö'],
      ['Backslash', '#', "'"], ['BracketRight', '+', '*', '~'], ['Digit7', '7', '/', '{'], ['KeyQ', 'q', 'Q', '@'],
      ['KeyE', 'e', 'E', '€'], ['IntlBackslash', '<', '>', '|']],
    commands: [['KeyY', false, 'Control+z'], ['BracketRight', false, 'Control+plus'], ['Digit7', true, 'Control+slash'],
      ['KeyC', true, 'Control+Shift+c'], ['Backslash', false, 'Control+numbersign']],
    thirdOn: ['Windows', 'Linux'],
  },
  {
    name: 'German of a Mac',
    keys: [['KeyL', 'l', 'L', '@'], ['Digit5', '5', '%', '['], ['Digit6', '6', '&', ']'], ['KeyE', 'e', 'E', '€'],
      ['Digit7', '7', '/', '|']],
    commands: [['KeyL', false, 'Control+l']],
    thirdOn: ['macOS'],
  },
  {
    name: 'French',
    keys: [['KeyQ', 'a', 'A'], ['KeyW', 'z', 'Z'], ['KeyZ', 'w', 'W'], ['Digit1', '&', '1'], ['Digit2', 'é', '2', '~'],
      ['Digit0', 'à', '0', '@'], ['Semicolon', 'm', 'M'], ['KeyM', ',', '?'], ['Slash', '!', '§'], ['Quote', 'ù', '%']],
    commands: [['KeyW', false, 'Control+z'], ['KeyQ', false, 'Control+a'], ['Digit1', false, 'Control+1'],
      ['Digit0', false, 'Control+0'], ['Digit1', true, 'Control+1'], ['Semicolon', false, 'Control+m']],
    thirdOn: ['Windows', 'Linux'],
  },
  {
    name: 'Swiss',
    keys: [['KeyY', 'z', 'Z'], ['Semicolon', 'ö', 'é'], ['Quote', 'ä', 'à'], ['Digit2', '2', '"', '@'], ['Digit3', '3', '*', '#'],
      ['BracketRight', '¨', '!'], ['Backslash', '$', '£', '}']],
    commands: [['KeyY', false, 'Control+z'], ['Digit7', true, 'Control+slash']],
    thirdOn: ['Windows', 'Linux'],
  },
  {
    name: 'Spanish',
    keys: [['Semicolon', 'ñ', 'Ñ'], ['Digit1', '1', '!', '|'], ['Digit2', '2', '"', '@'], ['Equal', '¡', '¿'],
      ['Backslash', 'ç', 'Ç', '}'], ['Backquote', 'º', 'ª', '\\']],
    commands: [['KeyC', false, 'Control+c'], ['Digit7', true, 'Control+slash']],
    thirdOn: ['Windows', 'Linux'],
  },
  {
    name: 'Russian',
    keys: [['KeyA', 'ф', 'Ф'], ['KeyC', 'с', 'С'], ['KeyZ', 'я', 'Я'], ['Semicolon', 'ж', 'Ж'], ['Digit3', '3', '№'],
      ['Slash', '.', ','], ['Backquote', 'ё', 'Ё']],
    commands: [['KeyC', false, 'Control+c'], ['KeyZ', false, 'Control+z'], ['KeyZ', true, 'Control+Shift+z']],
  },
  {
    name: 'Greek',
    keys: [['KeyC', 'ψ', 'Ψ'], ['KeyS', 'σ', 'Σ'], ['KeyW', 'ς', '΅'], ['KeyV', 'ω', 'Ω'], ['KeyQ', ';', ':']],
    commands: [['KeyC', false, 'Control+c'], ['KeyS', false, 'Control+s'], ['KeyS', true, 'Control+Shift+s']],
  },
  {
    name: 'Hebrew',
    keys: [['KeyC', 'ב'], ['KeyA', 'ש'], ['KeyQ', '/', 'Q'], ['Quote', ',', '"']],
    commands: [['KeyC', false, 'Control+c'], ['KeyA', false, 'Control+a']],
  },
  {
    name: 'Turkish',
    keys: [['KeyI', 'ı', 'I'], ['Quote', 'i', 'İ'], ['BracketLeft', 'ğ', 'Ğ'], ['Semicolon', 'ş', 'Ş'], ['Comma', 'ö', 'Ö'],
      ['Digit3', '3', '^', '#'], ['KeyQ', 'q', 'Q', '@']],
    commands: [['KeyC', false, 'Control+c'], ['Quote', false, 'Control+i']],
    thirdOn: ['Windows', 'Linux'],
  },
  {
    name: 'Japanese',
    keys: [['Digit2', '2', '"'], ['Minus', '-', '='], ['Equal', '^', '~'], ['IntlYen', '¥', '|'], ['BracketLeft', '@', '`'],
      ['Semicolon', ';', '+'], ['Quote', ':', '*'], ['IntlRo', '\\', '_']],
    commands: [['KeyC', false, 'Control+c'], ['Semicolon', true, 'Control+plus']],
  },
  {
    name: 'Dvorak',
    keys: [['KeyQ', "'", '"'], ['KeyW', ',', '<'], ['KeyS', 'o', 'O'], ['KeyN', 'b', 'B'], ['Minus', '[', '{'],
      ['BracketLeft', '/', '?'], ['Semicolon', 's', 'S']],
    commands: [['KeyN', false, 'Control+b'], ['KeyI', false, 'Control+c'], ['BracketLeft', false, 'Control+slash']],
  },
];

/** What a US keymap has at some places, plainly and with Shift: there go the keys of a program that reads places. */
// biome-ignore format: a table
/** @type {Record<string, [string, string]>} */
export const PLACES = {
  Minus: ['-', '_'], Equal: ['=', '+'], BracketLeft: ['[', '{'], BracketRight: [']', '}'], Semicolon: [';', ':'],
  Quote: ["'", '"'], Backquote: ['`', '~'], Backslash: ['\\', '|'], Comma: [',', '<'], Period: ['.', '>'], Slash: ['/', '?'],
  Digit1: ['1', '!'], Digit2: ['2', '@'], Digit3: ['3', '#'], Digit5: ['5', '%'], Digit6: ['6', '^'], Digit7: ['7', '&'],
  Digit0: ['0', ')'], IntlBackslash: ['<', '>'],
};
for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') PLACES[`Key${letter}`] = [letter.toLowerCase(), letter];

/** Keys of the keypad: by what they are called with Num Lock and without, what the program is to see. */
// biome-ignore format: a table
export const KEYPAD = [
  ['Numpad1', '1', 'KP_1', 'End', 'KP_End'], ['Numpad7', '7', 'KP_7', 'Home', 'KP_Home'],
  ['Numpad0', '0', 'KP_0', 'Insert', 'KP_Insert'], ['NumpadDecimal', '.', 'KP_Decimal', 'Delete', 'KP_Delete'],
  ['Numpad5', '5', 'KP_5', 'Clear', 'KP_Begin'], ['Numpad4', '4', 'KP_4', 'ArrowLeft', 'KP_Left'],
  ['NumpadAdd', '+', 'KP_Add', '+', 'KP_Add'], ['NumpadEnter', 'Enter', 'KP_Enter', 'Enter', 'KP_Enter'],
];
