// Keys as a keyboard of any layout makes them, and what the program says that it has seen (`logging` of apps.js).

import { until } from './wait.js';

const FLAGS = /** @type {const} */ ({ Alt: 1, Control: 2, Meta: 4, Shift: 8 });
const LEFT = { Alt: 'AltLeft', Control: 'ControlLeft', Meta: 'MetaLeft', Shift: 'ShiftLeft' };
/** @typedef {keyof typeof FLAGS} Modifier */

/** `keyCode` of a few keys: by the letter where there is one. @param {string} code @param {string} key */
function keyCode(code, key) {
  if (/^[a-z0-9]$/i.test(key)) return key.toUpperCase().charCodeAt(0);
  return /^Key[A-Z]$/.test(code) ? code.charCodeAt(3) : key.length > 1 ? 0 : 222;
}

/** Key codes that Chromium wants to know of keys without a character. @type {Record<string, number>} */
const NAMED = { Insert: 45, Delete: 46, F11: 122, Shift: 16, Control: 17, Alt: 18, End: 35, Enter: 13 };

/** A real keyboard's events, trusted by the page. */
export class Keys {
  /** @type {Set<Modifier>} */
  #held = new Set();

  /** @param {import('playwright-core').CDPSession} session */
  constructor(session) {
    this.session = session;
  }

  /** @param {import('playwright-core').Page} page */
  static async of(page) {
    return new Keys(await page.context().newCDPSession(page));
  }

  /** @param {boolean} down @param {string} code @param {string} key @param {boolean} [again] */
  async #send(down, code, key, again = false) {
    const modifiers = [...this.#held].reduce((sum, name) => sum + FLAGS[name], 0);
    const character = [...key].length === 1 && !(modifiers & ~FLAGS.Shift);
    await this.session.send('Input.dispatchKeyEvent', {
      type: down ? (character ? 'keyDown' : 'rawKeyDown') : 'keyUp',
      ...{ code, key, modifiers },
      ...(down && character ? { text: key } : {}),
      windowsVirtualKeyCode: NAMED[key] ?? keyCode(code, key),
      location: code.startsWith('Numpad') ? 3 : /Left$/.test(code) && !/Arrow/.test(code) ? 1 : 0,
      isKeypad: code.startsWith('Numpad'),
      autoRepeat: again,
    });
  }

  /** @param {string} code @param {string} key */
  async press(code, key) {
    await this.#send(true, code, key);
  }
  /** @param {string} code @param {string} key */
  async repeat(code, key) {
    await this.#send(true, code, key, true);
  }
  /** @param {string} code @param {string} key */
  async release(code, key) {
    await this.#send(false, code, key);
  }

  /** @param {string} code @param {string} key @param {Modifier[]} [holding] */
  async tap(code, key, holding = []) {
    for (const name of holding) {
      this.#held.add(name);
      await this.press(LEFT[name], name);
    }
    await this.press(code, key);
    await this.release(code, key);
    for (const name of [...holding].reverse()) {
      this.#held.delete(name);
      await this.release(LEFT[name], name);
    }
  }

  /** A key with these flags, and no event of the modifiers' own. @param {string} code @param {string} key @param {Modifier[]} flags */
  async flagged(code, key, flags) {
    this.#held = new Set(flags);
    await this.press(code, key);
    await this.release(code, key);
    this.#held.clear();
  }
}

/** What keysyms are called in these tests, where they are no character. @type {Record<number, string>} */
// biome-ignore format: a table
const NAMES = {
  65289: 'Tab', 65288: 'BackSpace', 65293: 'Return', 65361: 'Left', 65367: 'End', 65379: 'Insert', 65535: 'Delete', 65480: 'F11',
  65436: 'KP_End', 65457: 'KP_1', 8364: '€',
};

/** @param {number} keysym @param {number} state */
function nameOf(keysym, state) {
  const point = keysym > 0xffffff ? keysym - 0x1000000 : keysym;
  const name = NAMES[keysym] ?? String.fromCodePoint(point);
  const command = state & 0x4c;
  const held = `${state & 4 ? 'Control+' : ''}${state & 8 ? 'Alt+' : ''}${state & 0x40 ? 'Super+' : ''}`;
  const shift = state & 1 && (name.length > 1 || (command && /\p{L}/u.test(name))) ? 'Shift+' : '';
  return held + shift + (command ? name.toLowerCase() : name);
}

/** What the program has seen. */
export class Seen {
  #from = 0;

  /** @param {import('./host.js').Host} host @param {string} instance */
  constructor(host, instance) {
    this.host = host;
    this.instance = instance;
  }

  /** Presses since the last `forget`, without those of modifiers. */
  presses() {
    const lines = this.host
      .outputOf(this.instance)
      .matchAll(/kind=key_press .*keysym=0x([0-9a-f]+) state=0x([0-9a-f]+)/g);
    return [...lines]
      .map(([, keysym, state]) => [Number.parseInt(keysym, 16), Number.parseInt(state, 16)])
      .filter(([keysym]) => !(keysym >= 0xffe1 && keysym <= 0xffee) && keysym !== 0xff7f && keysym !== 0xfe03)
      .map(([keysym, state]) => nameOf(keysym, state))
      .slice(this.#from);
  }

  /** Buttons that were pressed so far. */
  buttons() {
    return [...this.host.outputOf(this.instance).matchAll(/kind=button_press button=(\d+)/g)].map(([, n]) =>
      Number(n),
    );
  }

  forget() {
    this.#from += this.presses().length;
  }

  /** Waits until these are the presses. @param {string[]} wanted */
  async become(wanted) {
    await until(`the program sees ${wanted.slice(0, 40).join(' ')}`, () => {
      const seen = this.presses();
      if (seen.join(' ') === wanted.join(' ')) return true;
      throw new Error(seen.slice(0, 60).join(' '));
    });
    this.forget();
  }
}
