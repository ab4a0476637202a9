// Real keyboards from end to end: node real-keyboards.js
//
// A browser on a display whose keyboard has each layout in turn; its keys are pressed by xdotool, go through the browser, the
// host and another display, and the program says what it has seen.

import { execFileSync, spawn } from 'node:child_process';

import { logging } from './harness/apps.js';
import { launchBrowser, launchFirefox, newUser } from './harness/browser.js';
import { Home } from './harness/home.js';
import { Host } from './harness/host.js';
import { Seen } from './harness/keys.js';
import { until } from './harness/wait.js';

/** X keycodes of an evdev keyboard, by the code that browsers give them. @type {Record<string, number>} */
// biome-ignore format: a table
const CODES = {
  Control: 37, Shift: 50, ShiftRight: 62, AltGr: 108, Alt: 64, CapsLock: 66, NumLock: 77, Numpad1: 87, ArrowLeft: 113, Delete: 119,
  Digit1: 10, Digit2: 11, Digit3: 12, Digit7: 16, Minus: 20, Equal: 21, BracketLeft: 34, BracketRight: 35, Semicolon: 47, Quote: 48,
  Backslash: 51, Slash: 61, IntlYen: 132, IntlRo: 97,
};
for (const [first, row] of /** @type {[number, string][]} */ ([
  [24, 'QWERTYUIOP'],
  [38, 'ASDFGHJKL'],
  [52, 'ZXCVBNM'],
]))
  for (const [i, letter] of [...row].entries()) CODES[`Key${letter}`] = first + i;

/** Per layout: what is held and pressed, and what the program is to see. @type {Record<string, Record<string, string>>} */
// biome-ignore format: a table
const LAYOUTS = {
  us: { KeyA: 'a', 'Shift KeyA': 'A', 'Shift Digit1': '!', 'Control KeyC': 'Control+c', 'Control Shift KeyZ': 'Control+Shift+z',
    'Alt KeyL': 'Alt+l', 'Shift ArrowLeft': 'Shift+Left', Numpad1: 'KP_End', 'NumLock,Numpad1': 'KP_1', 'CapsLock,KeyA': 'A',
    'CapsLock,Control KeyC': 'Control+c', 'Shift ShiftRight KeyA': 'A' },
  de: { KeyY: 'z', Minus: 'ß', BracketRight: '+', 'AltGr KeyQ': '@', 'AltGr Digit7': '{', 'Control KeyY': 'Control+z',
    'Control BracketRight': 'Control++', 'Control Shift Digit7': 'Control+/', 'CapsLock,Semicolon': 'Ö' },
  fr: { KeyQ: 'a', Digit1: '&', 'Shift Digit1': '1', Slash: '!', 'Control KeyW': 'Control+z', 'Control Digit1': 'Control+1',
    'AltGr Digit3': '#' },
  ch: { Semicolon: 'ö', 'Shift Semicolon': 'é', Backslash: '$', 'AltGr Digit2': '@', 'Control KeyY': 'Control+z' },
  es: { Semicolon: 'ñ', 'AltGr Digit2': '@', 'Control Shift Digit7': 'Control+/' },
  ru: { KeyC: 'с', 'Shift KeyC': 'С', 'Control KeyC': 'Control+c', 'Control Shift KeyZ': 'Control+Shift+z', 'Shift Digit3': '№' },
  gr: { KeyS: 'σ', 'Control KeyS': 'Control+s' },
  il: { KeyC: 'ב', 'Control KeyC': 'Control+c' },
  tr: { KeyI: 'ı', Quote: 'i', Semicolon: 'ş', 'Control KeyC': 'Control+c', 'AltGr KeyQ': '@' },
  jp: { 'Shift Digit2': '"', BracketLeft: '@', IntlYen: '\\', 'Control KeyC': 'Control+c' },
  'us(dvorak)': { KeyS: 'o', KeyN: 'b', 'Control KeyN': 'Control+b', 'Control KeyI': 'Control+c' },
};

const display = `:${90 + (process.pid % 100)}`;
const server = spawn(
  'Xvfb',
  [display, '-ac', '-noreset', '-nolisten', 'tcp', '-screen', '0', '1300x900x24'],
  { stdio: 'ignore' },
);
const env = { ...process.env, DISPLAY: display };
/** @param {string[]} args */
const xdotool = args => execFileSync('xdotool', args, { env });

/** Gives the display a layout. Chromium takes up a keymap with a geometry only. @param {string} name */
function layout(name) {
  const input = `xkb_keymap { xkb_keycodes { include "evdev+aliases(qwerty)" }; xkb_types { include "complete" };
    xkb_compat { include "complete" }; xkb_symbols { include "pc+${name}+inet(evdev)" };
    xkb_geometry { include "pc(pc105)" }; };`;
  execFileSync('xkbcomp', ['-w0', '-', display], { input, env });
}

/** Presses what a row says: locks before the comma, modifiers before the key. @param {string} row */
function press(row) {
  const [chord, lock] = row.split(',').reverse();
  const keys = chord.split(' ').map(name => String(CODES[name]));
  const held = keys.slice(0, -1);
  const toggle = lock ? ['key', String(CODES[lock])] : [];
  if (lock) xdotool(toggle);
  for (const key of held) xdotool(['keydown', key]);
  xdotool(['key', keys[keys.length - 1]]);
  for (const key of held.reverse()) xdotool(['keyup', key]);
  if (lock) xdotool(toggle);
}

/** @param {'chromium' | 'firefox'} engine @param {Host} host */
async function tried(engine, host) {
  const browser = await (engine === 'firefox'
    ? launchFirefox(display)
    : launchBrowser([], undefined, display));
  let wrong = 0;
  try {
    const page = await (await newUser(browser)).newPage();
    await page.goto(host.entry);
    const viewer = await new Home(page).launch('logging', host);
    await viewer.connected();
    await viewer.click(300, 200);
    const seen = new Seen(host, viewer.instanceId);
    for (const [name, rows] of Object.entries(LAYOUTS)) {
      layout(name);
      // The browser reads the new keyboard with its next event or so.
      await page.waitForTimeout(500);
      for (const [row, wanted] of Object.entries(rows)) {
        press(row);
        try {
          await until('something is seen', () => seen.presses().length > 0, { within: 5_000 });
          await page.waitForTimeout(100);
        } catch {
          // Said below.
        }
        const got = seen.presses().join(' ');
        seen.forget();
        if (got !== wanted) wrong += 1;
        console.log(
          `${got === wanted ? 'ok   ' : 'WRONG'} ${engine} ${name}: ${row} gives ${got}${got === wanted ? '' : `, not ${wanted}`}`,
        );
      }
    }
    layout('us');
    xdotool(['keydown', String(CODES.Delete)]);
    await page.waitForTimeout(1_500);
    xdotool(['keyup', String(CODES.Delete)]);
    await page.waitForTimeout(500);
    console.log(`      ${engine}: Delete, held for 1.5 s, is seen ${seen.presses().length} times`);
  } finally {
    await browser.close();
  }
  return wrong;
}

const host = await Host.start({ apps: paths => [logging(paths)], auth: 'open' });
try {
  await until('the display is there', () => {
    layout('us');
    return true;
  });
  const wrong = (await tried('chromium', host)) + (await tried('firefox', host));
  if (wrong > 0) process.exitCode = 1;
} finally {
  await host.stop();
  host.removeFolder();
  server.kill();
}
