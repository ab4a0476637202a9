import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { usageOf } from '../../static/viewer/hid.js';
import { KeyboardInput } from '../../static/viewer/keyboard.js';
import { KEYPAD, LAYOUTS, PLACES } from './layouts.js';

/**
 * The keyboard suite's first half: from browsers' events to frames. What comes out is kept in `keyboard-frames.jsonl`, and
 * `tests/capture/keyboard.rs` sends it to a real display and looks at what a program sees. Made anew with
 * `HELIOSTAT_KEEP=1 node --test frontend/layouts.test.js`.
 */
const FILE = new URL('keyboard-frames.jsonl', import.meta.url);

/** @typedef {import('./layouts.js').Platform} Platform */
/** @typedef {{mode: 'text'|'physical', sees: string, frames: string, of: string}} Case */

/** @type {Platform[]} */
const PLATFORMS = ['Windows', 'Linux', 'macOS'];

class Typist {
  /** @type {string[]} */
  frames = [];
  #flags = { ctrlKey: false, altKey: false, shiftKey: false, metaKey: false };
  #graph = false;
  #input;

  /** @param {Platform} platform @param {'text'|'physical'} mode */
  constructor(platform, mode) {
    this.platform = platform;
    const field = /** @type {any} */ (Object.assign(new EventTarget(), { value: '' }));
    this.#input = new KeyboardInput(field, {
      send: event => {
        if (event.type === 'key')
          this.frames.push(`${event.pressed ? '+' : '-'}${hex(event.usage)}:${hex(event.keysym)}`);
        else if (event.type === 'repeat') this.frames.push(`*${hex(event.usage)}:${hex(event.keysym)}`);
        return true;
      },
      activity() {},
      wayOut() {},
      hint() {},
      mac: platform === 'macOS',
    });
    this.#input.physical = mode === 'physical';
  }

  /** @param {string} code @param {string} key */
  #event(code, key) {
    const location = code.startsWith('Numpad')
      ? 3
      : code.endsWith('Right')
        ? 2
        : code.endsWith('Left')
          ? 1
          : 0;
    const graph = this.#graph;
    return /** @type {any} */ ({
      ...this.#flags,
      ...{ key, code, location, repeat: false, isComposing: false, timeStamp: 0 },
      keyCode: /^Key[A-Z]$/.test(code) && !/^[\x20-\x7e]$/.test(key) ? code.charCodeAt(3) : 0,
      getModifierState: (/** @type {string} */ name) => name === 'AltGraph' && graph,
      preventDefault() {},
    });
  }

  /** @param {string} code @param {string} key @param {boolean} down */
  key(code, key, down) {
    const flag = { Control: 'ctrlKey', Alt: 'altKey', Shift: 'shiftKey', Meta: 'metaKey' }[key];
    if (flag) this.#flags = { ...this.#flags, [flag]: down };
    if (key === 'AltGraph') this.#graph = down;
    this.#input[down ? 'down' : 'up'](this.#event(code, key));
  }

  /** A key that is held so long that it repeats so often. @param {string} code @param {string} key @param {number} times */
  repeats(code, key, times) {
    for (let i = 0; i < times; i++) this.#input.down({ ...this.#event(code, key), repeat: true });
  }

  /** @param {string} code @param {string} key */
  tap(code, key) {
    this.key(code, key, true);
    this.key(code, key, false);
  }

  /** @param {string} code @param {string} key @param {() => void} work */
  holding(code, key, work) {
    this.key(code, key, true);
    work();
    this.key(code, key, false);
  }

  /** Whatever key makes the third level here. @param {() => void} work */
  third(work) {
    if (this.platform === 'macOS') return this.holding('AltLeft', 'Alt', work);
    const graph = () => this.holding('AltRight', 'AltGraph', work);
    // Windows presses Control, too.
    if (this.platform === 'Windows') this.holding('ControlLeft', 'Control', graph);
    else graph();
  }
}

/** @param {number} number */
const hex = number => number.toString(16);

/** @returns {Case[]} */
function cases() {
  /** By mode and frames: many keyboards send the same. @type {Map<string, Case>} */
  const all = new Map();
  /** @param {string} of @param {Platform} platform @param {'text'|'physical'} mode @param {string} sees @param {(typist: Typist) => void} type */
  const add = (of, platform, mode, sees, type) => {
    const typist = new Typist(platform, mode);
    type(typist);
    const frames = typist.frames.join(' ');
    const known = all.get(`${mode} ${frames}`);
    assert.ok(
      !known || known.sees === sees,
      `${of} and ${known?.of} send the same, and mean ${sees} and ${known?.sees}`,
    );
    if (!known) all.set(`${mode} ${frames}`, { mode, sees, frames, of: `${of}, ${platform}` });
  };
  for (const platform of PLATFORMS) {
    for (const { name, keys, commands, thirdOn } of LAYOUTS) {
      for (const [code, plain, shift, third] of keys) {
        add(name, platform, 'text', plain, t => t.tap(code, plain));
        if (shift)
          add(name, platform, 'text', shift, t => t.holding('ShiftLeft', 'Shift', () => t.tap(code, shift)));
        if (shift && shift === plain.toUpperCase())
          add(`${name}, Caps Lock`, platform, 'text', shift, t => {
            t.tap('CapsLock', 'CapsLock');
            t.tap(code, shift);
          });
        if (third && thirdOn?.includes(platform))
          add(name, platform, 'text', third, t => t.third(() => t.tap(code, third)));
        const place = PLACES[code];
        if (!place) continue;
        add(name, platform, 'physical', place[0], t => t.tap(code, plain));
        add(`${name}, a dead key`, platform, 'physical', place[0], t => t.tap(code, 'Dead'));
        if (shift)
          add(name, platform, 'physical', place[1], t =>
            t.holding('ShiftRight', 'Shift', () => t.tap(code, shift)),
          );
      }
      for (const [code, shift, sees] of commands) {
        const made = keys.find(([one]) => one === code);
        const key =
          made?.[shift ? 2 : 1] ?? (sees.endsWith('slash') ? '/' : /** @type {string} */ (sees.at(-1)));
        add(name, platform, 'text', sees, t =>
          t.holding('ControlLeft', 'Control', () => {
            if (shift) t.holding('ShiftLeft', 'Shift', () => t.tap(code, key));
            else t.tap(code, key);
          }),
        );
      }
    }
    for (const mode of /** @type {const} */ (['text', 'physical'])) {
      for (const [code, number, sees, name, without] of KEYPAD) {
        add('keypad, Num Lock', platform, mode, sees, t => t.tap(code, number));
        add('keypad', platform, mode, without, t => t.tap(code, name));
      }
      // Num Lock and Shift: the other level, on systems that leave Shift to the program.
      add('keypad, Shift', platform, mode, 'Shift+KP_End', t =>
        t.holding('ShiftLeft', 'Shift', () => t.tap('Numpad1', 'End')),
      );
      add('arrows', platform, mode, 'Shift+Left', t =>
        t.holding('ShiftLeft', 'Shift', () => t.tap('ArrowLeft', 'ArrowLeft')),
      );
      add('function keys', platform, mode, 'F10', t => t.tap('F10', 'F10'));
    }
    const held = /** @type {[string, string, string][]} */ ([
      ['Slash', '!', 'French'],
      ['Backslash', '#', 'German'],
      ['KeyA', 'A', 'Caps Lock'],
      ['KeyC', 'с', 'Russian'],
      ['Delete', 'Delete', 'Delete'],
    ]);
    for (const [code, key, name] of held)
      add(`${name}, held`, platform, 'text', `${key} ${key} ${key} ${key}`, t => {
        t.key(code, key, true);
        t.repeats(code, key, 3);
        t.key(code, key, false);
      });
    const alt = platform === 'macOS' ? ['KeyF', 'f', 'Alt+f'] : ['KeyL', 'l', 'Alt+l'];
    add('Alt', platform, 'text', alt[2], t => t.holding('AltLeft', 'Alt', () => t.tap(alt[0], alt[1])));
  }
  return [...all.values()];
}

/** @param {Case[]} list */
const written = list => list.map(one => `${JSON.stringify(one)}\n`).join('');

test('the frames of every layout, platform and mode are those that the display is tested with', () => {
  const made = written(cases());
  if (process.env.HELIOSTAT_KEEP) writeFileSync(FILE, made);
  assert.equal(made, readFileSync(FILE, 'utf8'), 'made anew with HELIOSTAT_KEEP=1');
});

test('every place that a layout names is known', () => {
  for (const { name, keys } of LAYOUTS)
    for (const [code] of keys) assert.notEqual(usageOf(code), 0, `${code} of ${name}`);
});
