import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyboardInput } from '../../static/viewer/keyboard.js';
import { MAX_PASTE } from '../../static/viewer/paste.js';

/** @param {Record<string, unknown>} props */
const event = props =>
  /** @type {any} */ ({
    ...{ location: 0, ctrlKey: false, altKey: false, shiftKey: false, metaKey: false },
    ...{ repeat: false, isComposing: false, keyCode: 0, prevented: false },
    preventDefault() {
      this.prevented = true;
    },
    ...props,
  });
const CTRL = { key: 'Control', code: 'ControlLeft' };
const V = { key: 'v', code: 'KeyV', ctrlKey: true };

/** A field as a browser has it. @param {boolean} [mac] */
function user(mac = false) {
  /** @type {any[]} */
  const sent = [];
  /** @type {string[]} */
  const hints = [];
  const field = /** @type {any} */ (
    Object.assign(new EventTarget(), { value: '', inputMode: 'none', focus() {}, blur() {} })
  );
  const input = new KeyboardInput(field, {
    send: e => sent.push(e) > 0,
    activity() {},
    wayOut() {},
    hint: words => hints.push(words),
    mac,
  });
  const paste = (/** @type {string} */ text) =>
    field.dispatchEvent(
      Object.assign(new Event('paste', { cancelable: true }), { clipboardData: { getData: () => text } }),
    );
  /** @param {{key: string, code: string}} key @param {string | null} [clipboard] what the browser pastes at it */
  const tap = (key, clipboard = null) => {
    const down = event(key);
    input.down(down);
    if (clipboard !== null && !down.prevented) paste(clipboard);
    input.up(event(key));
  };
  const typed = () => sent.filter(e => e.type === 'text').map(e => e.text);
  const keys = () =>
    sent.filter(e => e.type === 'key').map(e => (e.pressed ? '+' : '-') + e.usage.toString(16));
  return { input, field, sent, hints, paste, tap, typed, keys };
}

const CHORDS = {
  'Ctrl+V': V,
  'Ctrl+Shift+V': { ...V, key: 'V', shiftKey: true },
  'Shift+Insert': { key: 'Insert', code: 'Insert', shiftKey: true },
  'Ctrl+V of a Russian keyboard': { ...V, key: 'м', keyCode: 86 },
  'Ctrl+V of a Dvorak keyboard': { ...V, code: 'Period' },
};
for (const [name, chord] of Object.entries(CHORDS)) {
  test(`${name} types the clipboard's text and presses nothing else`, () => {
    const { tap, typed, keys } = user();
    tap(chord, 'one\r\ntwo\rthree');
    assert.deepEqual(typed(), ['one\ntwo\nthree']);
    assert.ok(!keys().some(key => /19|37|49/.test(key)), keys().join());
  });
}

test("the browser's menu and its own insertions paste, too", () => {
  const { paste, field, typed } = user();
  paste('menu');
  field.value = 'suggested';
  field.dispatchEvent(
    Object.assign(new Event('input'), { inputType: 'insertFromPaste', data: null, isComposing: false }),
  );
  assert.deepEqual(typed(), ['menu', 'suggested']);
  assert.equal(field.value, '');
});

test("Command and V paste on a Mac, where Control and V are the program's", () => {
  const { tap, typed, keys } = user(true);
  tap({ key: 'v', code: 'KeyV', ...{ metaKey: true } }, 'text');
  assert.deepEqual(typed(), ['text']);
  tap(V, 'text');
  assert.deepEqual(typed(), ['text']);
  assert.deepEqual(keys().slice(-2), ['+19', '-19']);
});

test('five thousand bytes in several lines arrive whole and in order', () => {
  const { tap, sent } = user();
  const text = Array.from({ length: 100 }, (_, i) => `${i}: ${'äöü€😀'.repeat(5)}`).join('\n');
  assert.ok(new TextEncoder().encode(text).length > 5000);
  tap(V, text);
  const parts = sent.filter(e => e.type === 'text').map(e => e.text);
  assert.equal(parts.join(''), text);
  assert.ok(parts.length > 1);
});

test("without text in the clipboard the key is the program's", () => {
  const { tap, typed, keys } = user();
  tap(V, '');
  assert.deepEqual(typed(), []);
  assert.deepEqual(keys(), ['+e0', '+19', '-19']);
});

test('a browser that does not paste leaves the key to the program, while its modifiers are still down', async () => {
  const { input, keys } = user();
  input.down(event({ ...CTRL, ctrlKey: true }));
  input.down(event(V));
  input.up(event(V));
  input.up(event(CTRL));
  assert.deepEqual(keys(), ['+e0', '+19', '-19', '-e0']);
  input.down(event(V));
  await sleep(200);
  assert.deepEqual(keys().slice(4), ['+e0', '+19']);
});

test('a key that follows at once comes after the one that waits for the browser', () => {
  const { input, keys } = user();
  input.down(event(V));
  input.down(event({ key: 'Enter', code: 'Enter', ctrlKey: true }));
  assert.deepEqual(keys(), ['+e0', '+19', '+28']);
});

test("after a copy in the program plain Ctrl+V is the program's, until something else was copied outside", () => {
  const { field, tap, typed, keys, hints } = user();
  tap(V, 'outside');
  tap({ key: 'c', code: 'KeyC', ...{ ctrlKey: true } });
  tap(V, 'outside');
  assert.deepEqual(typed(), ['outside'], 'the program pastes what it has copied');
  assert.deepEqual(keys().slice(-2), ['+19', '-19']);
  assert.match(hints[0], /Ctrl\+Shift\+V/);
  tap(CHORDS['Ctrl+Shift+V'], 'outside');
  assert.deepEqual(typed(), ['outside', 'outside'], "this one never is the program's");
  field.dispatchEvent(new Event('blur'));
  tap(V, 'outside');
  assert.equal(typed().length, 2, 'nothing was copied out there');
  tap(V, 'something new');
  assert.deepEqual(typed().at(-1), 'something new');
  tap(V, 'something new');
  assert.equal(typed().length, 4);
});

test('a paste that is too long is refused with a word', () => {
  const { paste, sent, hints } = user();
  paste('x'.repeat(MAX_PASTE + 1));
  assert.deepEqual(sent, []);
  assert.equal(hints.length, 1);
  paste('x'.repeat(MAX_PASTE));
  assert.equal(hints.length, 1);
  // Each is an event: fewer than the host keeps waiting, and than it lets pass in a second.
  assert.ok(sent.length <= 512, String(sent.length));
});

test('an on-screen keyboard is opened by touch, and what it sends arrives', () => {
  const { input, field, typed, keys } = user();
  input.soft.open();
  assert.equal(field.inputMode, 'text');
  assert.notEqual(field.value, '', 'something to delete');
  /** @param {string} inputType @param {string | null} data */
  const insert = (inputType, data = null) =>
    field.dispatchEvent(Object.assign(new Event('input'), { inputType, data, isComposing: false }));
  insert('insertText', 'h');
  field.dispatchEvent(Object.assign(new Event('compositionend'), { data: 'ello' }));
  field.value += 'ö';
  insert('insertReplacementText');
  insert('deleteContentBackward');
  insert('insertLineBreak');
  assert.deepEqual(typed(), ['h', 'ello', 'ö']);
  assert.deepEqual(keys(), ['+2a', '-2a', '+28', '-28']);
  field.dispatchEvent(new Event('blur'));
  assert.equal(field.inputMode, 'none');
  assert.equal(field.value, '');
});
