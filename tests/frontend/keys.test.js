import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usageOf } from '../../static/viewer/hid.js';
import { KeyboardInput } from '../../static/viewer/keyboard.js';
import { isReserved, isWayOut } from '../../static/viewer/keys.js';
import { keysymOf } from '../../static/viewer/keysym.js';

test('physical keys have the usages of the HID tables', () => {
  const known = {
    KeyA: 0x04,
    KeyZ: 0x1d,
    Digit1: 0x1e,
    Digit9: 0x26,
    Digit0: 0x27,
    Enter: 0x28,
    Space: 0x2c,
    F1: 0x3a,
    F12: 0x45,
    F13: 0x68,
    F24: 0x73,
    ArrowUp: 0x52,
    Numpad1: 0x59,
    Numpad9: 0x61,
    Numpad0: 0x62,
    IntlBackslash: 0x64,
    ControlLeft: 0xe0,
    MetaRight: 0xe7,
  };
  for (const [code, usage] of Object.entries(known)) assert.equal(usageOf(code), usage, code);
});

test('no two codes share a usage', () => {
  const codes = [
    'Quote',
    'Backslash',
    'IntlBackslash',
    'IntlRo',
    'IntlYen',
    'NumpadComma',
    'NumpadDecimal',
    'Comma',
  ];
  assert.equal(new Set(codes.map(usageOf)).size, codes.length);
});

test('unknown codes have no usage, not even those of Object', () => {
  for (const code of ['', 'Unidentified', 'toString', '__proto__']) assert.equal(usageOf(code), 0);
});

test('Latin-1 characters are their own keysyms', () => {
  assert.equal(keysymOf('a'), 0x61);
  assert.equal(keysymOf('~'), 0x7e);
  assert.equal(keysymOf('ä'), 0xe4);
  assert.equal(keysymOf(' '), 0x20);
});

test('other characters are in the Unicode range', () => {
  assert.equal(keysymOf('€'), 0x010020ac);
  assert.equal(keysymOf('Ā'), 0x01000100);
  assert.equal(keysymOf('😀'), 0x0101f600);
});

test('named keys have their keysyms', () => {
  assert.equal(keysymOf('Enter'), 0xff0d);
  assert.equal(keysymOf('Delete'), 0xffff);
  assert.equal(keysymOf('F1'), 0xffbe);
  assert.equal(keysymOf('F12'), 0xffc9);
  assert.equal(keysymOf('AltGraph'), 0xfe03);
});

test('modifiers differ by side and the pad by place', () => {
  assert.equal(keysymOf('Shift', 1), 0xffe1);
  assert.equal(keysymOf('Shift', 2), 0xffe2);
  assert.equal(keysymOf('Enter', 3), 0xff8d);
  assert.equal(keysymOf('7', 3), 0xffb7);
  assert.equal(keysymOf('7', 0), 0x37);
  assert.equal(keysymOf('.', 3), 0xffae);
  assert.equal(keysymOf(',', 3), 0x2c, 'of a German keypad: no US keymap has a key for it');
});

test('keys without a meaning have no keysym', () => {
  for (const key of ['Unidentified', 'Dead', 'toString', '', '\u0007', 'ab'])
    assert.equal(keysymOf(key), 0, key);
});

/** @param {Record<string, unknown>} props */
const press = props =>
  /** @type {any} */ ({
    key: 'a',
    code: 'KeyA',
    location: 0,
    ctrlKey: false,
    altKey: false,
    shiftKey: false,
    metaKey: false,
    repeat: false,
    isComposing: false,
    keyCode: 65,
    prevented: false,
    preventDefault() {
      this.prevented = true;
    },
    ...props,
  });

/** @param {Partial<import('../../static/viewer/keyboard.js').Hooks>} [more] */
function keyboard(more = {}) {
  /** @type {any[]} */
  const sent = [];
  /** @type {string[]} */
  const hints = [];
  const field = /** @type {any} */ (
    Object.assign(new EventTarget(), { value: '', inputMode: 'none', focus() {}, blur() {} })
  );
  let ways = 0;
  const input = new KeyboardInput(field, {
    send: e => sent.push(e) > 0,
    activity: () => {},
    wayOut: () => ways++,
    hint: words => hints.push(words),
    ...more,
  });
  /** Keys as they went out: `+` pressed, `-` released, `*` repeated; texts as they are. */
  const words = () =>
    sent.map(e => {
      if (e.type === 'text') return e.text;
      const sign = e.type === 'repeat' ? '*' : e.pressed ? '+' : '-';
      return sign + (e.keysym < 0x100 ? String.fromCharCode(e.keysym) : e.keysym.toString(16));
    });
  return { input, sent, field, hints, words, ways: () => ways };
}

test('a key is pressed once, repeats as what it was pressed as, and is released as that', () => {
  const { input, words } = keyboard();
  input.down(press({ key: 'A', shiftKey: false }));
  input.down(press({ key: 'A', repeat: true }));
  input.down(press({ key: 'a', repeat: true }));
  input.up(press({ key: 'a' }));
  input.up(press({ key: 'a' }));
  input.down(press({ key: 'a', repeat: true }));
  assert.deepEqual(words(), ['+A', '*A', '*A', '-A'], 'and what is not held repeats nothing');
});

test('repeats that the browser kept back are none, and modifiers have none', () => {
  let now = 1000;
  const { input, words } = keyboard({ now: () => now });
  input.down(press({ timeStamp: 1000 }));
  now = 5000;
  for (let at = 1500; at < 5000; at += 30) input.down(press({ repeat: true, timeStamp: at }));
  const shift = { key: 'Shift', code: 'ShiftLeft', location: 1, shiftKey: true };
  input.down(press({ ...shift, timeStamp: 5000 }));
  input.down(press({ ...shift, timeStamp: 5000, repeat: true }));
  assert.deepEqual(
    words().filter(word => word !== '*a'),
    ['+a', '+ffe1'],
  );
  assert.equal(words().filter(word => word === '*a').length, 10);
});

test('the page keeps nothing of what it sends', () => {
  const { input } = keyboard();
  for (const props of [
    { key: 'Tab', code: 'Tab' },
    { key: 'F5', code: 'F5' },
    { key: 'r', code: 'KeyR', ctrlKey: true },
  ]) {
    const event = press(props);
    input.down(event);
    assert.equal(event.prevented, true, props.code);
  }
});

test('what the browser keeps for itself is neither sent nor prevented', () => {
  const { input, sent } = keyboard();
  for (const props of [
    { key: 'F11', code: 'F11' },
    { key: 'F12', code: 'F12' },
    { key: 't', code: 'KeyT', ctrlKey: true },
    // French, Dvorak, Russian: by the letter.
    { key: 'w', code: 'KeyZ', ctrlKey: true },
    { key: 'n', code: 'KeyL', ctrlKey: true },
    { key: 'т', code: 'KeyN', ctrlKey: true, keyCode: 78 },
    { key: 'T', code: 'KeyT', ctrlKey: true, shiftKey: true },
  ]) {
    const event = press(props);
    input.down(event);
    assert.equal(event.prevented, false, props.code);
  }
  assert.deepEqual(sent, []);
});

test('reserved keys are judged by the letter that the browser sees, by the system, and not under Keyboard Lock', () => {
  /** @param {Record<string, unknown>} props @param {boolean} [mac] @param {boolean} [locked] */
  const reserved = (props, mac = false, locked = false) => isReserved(press(props), locked, mac);
  // AZERTY Ctrl+Z, Dvorak Ctrl+B, Colemak Ctrl+K.
  assert.equal(reserved({ key: 'z', code: 'KeyW', ctrlKey: true }), false);
  assert.equal(reserved({ key: 'b', code: 'KeyN', ctrlKey: true }), false);
  assert.equal(reserved({ key: 'k', code: 'KeyN', ctrlKey: true }), false);
  // A Mac's browser has Command, and leaves Control alone.
  assert.equal(reserved({ key: 'w', code: 'KeyW', ctrlKey: true }, true), false);
  assert.equal(reserved({ key: 'w', code: 'KeyW', metaKey: true }, true), true);
  assert.equal(reserved({ key: 'q', code: 'KeyQ', metaKey: true }, true), true);
  assert.equal(reserved({ key: 'w', code: 'KeyW', metaKey: true }), false);
  for (const key of ['F11', 'F12']) assert.equal(reserved({ key, code: key }, false, true), false);
  assert.equal(reserved({ key: 't', code: 'KeyT', ctrlKey: true }, false, true), false);
});

test("F11 and F12 are the program's in full screen with Keyboard Lock", () => {
  const { input, words } = keyboard();
  input.locked = true;
  const event = press({ key: 'F11', code: 'F11' });
  input.down(event);
  assert.equal(event.prevented, true);
  assert.deepEqual(words(), ['+ffc8']);
});

test('keys of an input method are left to it, and what it composed is sent as text', () => {
  const { input, sent, field } = keyboard();
  for (const props of [{ isComposing: true }, { keyCode: 229 }, { key: 'Dead' }, { key: 'Process' }])
    input.down(press(props));
  assert.deepEqual(sent, []);
  field.dispatchEvent(Object.assign(new Event('compositionend'), { data: '日本' }));
  assert.deepEqual(sent, [{ type: 'text', text: '日本' }]);
});

test('text typed without keys is sent, and the field stays empty', () => {
  const { sent, field } = keyboard();
  field.value = 'é';
  field.dispatchEvent(
    Object.assign(new Event('input'), { inputType: 'insertText', data: 'é', isComposing: false }),
  );
  assert.deepEqual(sent, [{ type: 'text', text: 'é' }]);
  assert.equal(field.value, '');
});

test('releasing Meta releases what was pressed together with it', () => {
  const { input, sent } = keyboard();
  input.down(press({ key: 'Meta', code: 'MetaLeft', location: 1, metaKey: true }));
  input.down(press({ key: 'c', code: 'KeyC', metaKey: true }));
  input.up(press({ key: 'Meta', code: 'MetaLeft', location: 1 }));
  assert.deepEqual(
    sent.slice(2).map(e => [e.usage, e.pressed]),
    [
      [0xe3, false],
      [6, false],
    ],
  );
});

test('Ctrl+Alt+Escape leaves the picture', () => {
  const { input, sent, ways } = keyboard();
  const event = press({ key: 'Escape', code: 'Escape', ctrlKey: true, altKey: true });
  assert.equal(isWayOut(event), true);
  input.down(event);
  assert.equal(ways(), 1);
  assert.deepEqual(sent, []);
});

test('a key that could not be sent is not held, so that its release is not sent either', () => {
  /** @type {any[]} */
  const sent = [];
  let open = false;
  const { input } = keyboard({ send: e => open && sent.push(e) > 0 });
  input.down(press({}));
  open = true;
  input.down(press({ repeat: true }));
  input.up(press({}));
  assert.deepEqual(sent, []);
});

const SHIFT = { key: 'Shift', code: 'ShiftLeft', location: 1, shiftKey: true };
const META = { key: 'Meta', code: 'MetaLeft', location: 1, metaKey: true };
const ALT = { key: 'Alt', code: 'AltLeft', location: 1, altKey: true };

test('a modifier whose release the system swallowed is released before the next key', () => {
  const { input, words } = keyboard();
  input.down(press(META));
  input.down(press({ key: 'l', code: 'KeyL' }));
  assert.deepEqual(words(), ['+ffeb', '-ffeb', '+l']);
});

test('both Shifts, of which the system tells one release, are released before the next key', () => {
  const { input, words } = keyboard();
  input.down(press(SHIFT));
  input.down(press({ ...SHIFT, code: 'ShiftRight', location: 2 }));
  input.up(press({ ...SHIFT, shiftKey: false }));
  input.down(press({}));
  assert.deepEqual(words(), ['+ffe1', '+ffe2', '-ffe1', '-ffe2', '+a']);
});

test('a modifier that was pressed elsewhere is pressed before the key, or the click, that it belongs to', () => {
  const { input, words } = keyboard();
  input.down(press({ key: 'ArrowLeft', code: 'ArrowLeft', shiftKey: true }));
  input.mend(/** @type {any} */ ({ ctrlKey: true, shiftKey: false, altKey: false, metaKey: false }));
  assert.deepEqual(words(), ['+ffe1', '+ff51', '-ffe1', '+ffe3']);
});

test('AltGr that a system calls Control and Alt presses neither', () => {
  const { input, words } = keyboard();
  const getModifierState = (/** @type {string} */ name) => name === 'AltGraph';
  input.down(press({ key: 'AltGraph', code: 'AltRight', location: 2, getModifierState }));
  input.down(press({ key: '@', code: 'KeyQ', ctrlKey: true, altKey: true, getModifierState }));
  assert.deepEqual(words(), ['+fe03', '+@']);
});

test('Option of a Mac makes characters, and is Alt for everything else', () => {
  const { input, words } = keyboard({ mac: true });
  input.down(press(ALT));
  input.down(press({ ...SHIFT, altKey: true }));
  input.down(press({ key: '\\', code: 'Digit7', altKey: true, shiftKey: true }));
  input.up(press({ key: '\\', code: 'Digit7', altKey: true, shiftKey: true }));
  input.up(press({ ...SHIFT, altKey: true, shiftKey: false }));
  input.down(press({ key: 'ArrowLeft', code: 'ArrowLeft', altKey: true }));
  input.up(press({ key: 'ArrowLeft', code: 'ArrowLeft', altKey: true }));
  input.down(press({ key: '@', code: 'KeyL', altKey: true }));
  input.up(press({ ...ALT, altKey: false }));
  assert.deepEqual(words(), ['+ffe1', '+\\', '-\\', '-ffe1', '+ffe9', '+ff51', '-ff51', '-ffe9', '+@']);
});

test('Option alone is a press of Alt, and on other systems Alt is Alt', () => {
  const mac = keyboard({ mac: true });
  mac.input.down(press(ALT));
  assert.deepEqual(mac.words(), []);
  mac.input.up(press({ ...ALT, altKey: false }));
  assert.deepEqual(mac.words(), ['+ffe9', '-ffe9']);
  const other = keyboard();
  other.input.down(press(ALT));
  other.input.down(press({ key: 'l', code: 'KeyL', altKey: true }));
  assert.deepEqual(other.words(), ['+ffe9', '+l']);
});

test('keys without a code are down no longer than they are told of', () => {
  const { input, words } = keyboard();
  // An on-screen keyboard whose Shift goes up in between.
  input.down(press({ key: 'A', code: '' }));
  input.up(press({ key: 'a', code: '' }));
  input.down(press({ key: 'Enter', code: 'Unidentified', repeat: true }));
  assert.deepEqual(words(), ['+A', '-A', '+ff0d', '-ff0d']);
});

test('a program that takes keys by their place gets dead keys and those of input methods', () => {
  const { input, sent, field } = keyboard();
  const usages = () => sent.map(e => e.usage);
  const all = [
    { key: 'Dead', code: 'Equal' },
    { key: 'Process', code: 'KeyA', keyCode: 229 },
    { key: 'a', code: 'KeyS', keyCode: 229, isComposing: true },
  ];
  for (const props of all) input.down(press(props));
  assert.deepEqual(usages(), []);
  input.physical = true;
  for (const props of all) input.down(press(props));
  assert.deepEqual(usages(), [0x2e, 0x04, 0x16]);
  field.dispatchEvent(Object.assign(new Event('compositionend'), { data: 'あ' }));
  assert.equal(sent.length, 3, 'what they compose is not typed besides');
});
