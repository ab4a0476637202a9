import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usageOf } from '../../static/viewer/hid.js';
import { isReserved, isWayOut, KeyboardInput } from '../../static/viewer/keyboard.js';
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

function keyboard() {
  /** @type {any[]} */
  const sent = [];
  const field = /** @type {any} */ (Object.assign(new EventTarget(), { value: '' }));
  let ways = 0;
  const input = new KeyboardInput(
    field,
    e => sent.push(e) > 0,
    () => {},
    () => ways++,
  );
  return { input, sent, field, ways: () => ways };
}

test('a key is sent once however often it repeats, and released as it was pressed', () => {
  const { input, sent } = keyboard();
  input.down(press({ key: 'A', shiftKey: true }));
  input.down(press({ key: 'A', repeat: true }));
  input.down(press({ key: 'A' }));
  input.up(press({ key: 'a' }));
  input.up(press({ key: 'a' }));
  assert.deepEqual(sent, [
    { type: 'key', pressed: true, usage: 4, keysym: 0x41 },
    { type: 'key', pressed: false, usage: 4, keysym: 0x41 },
  ]);
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
    { key: 't', code: 'KeyT', ctrlKey: true },
  ]) {
    const event = press(props);
    input.down(event);
    assert.equal(event.prevented, false);
  }
  assert.deepEqual(sent, []);
  assert.equal(isReserved(press({ key: 't', code: 'KeyT', ctrlKey: true }), true), false);
  assert.equal(isReserved(press({ key: 'F11', code: 'F11' }), true), true);
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
  input.down(press({ key: 'Meta', code: 'MetaLeft', location: 1 }));
  input.down(press({ key: 'c', code: 'KeyC' }));
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
  const field = /** @type {any} */ (Object.assign(new EventTarget(), { value: '' }));
  const input = new KeyboardInput(
    field,
    e => open && sent.push(e) > 0,
    () => {},
    () => {},
  );
  input.down(press({}));
  open = true;
  input.up(press({}));
  assert.deepEqual(sent, []);
});
