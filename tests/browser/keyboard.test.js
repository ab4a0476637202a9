// Keyboards, mice and clipboards as people have them, from the browser's events to what the program says that it sees.
// Every layout, platform and mode on its own: frontend/layouts.test.js and tests/capture/keyboard.rs.

import assert from 'node:assert/strict';

import { listener, logging } from './harness/apps.js';
import { Keys, Seen } from './harness/keys.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { never, until } from './harness/wait.js';

/** @param {import('./harness/apps.js').Paths} paths */
const places = paths => ({ ...logging(paths), id: 'places', keyboard: 'physical' });
const { scenario } = suite({ apps: paths => [logging(paths), places(paths), listener()] });

/**
 * A program in use.
 * @param {import('./harness/stage.js').Stage} stage
 * @param {{ app?: string, platform?: string, user?: import('./harness/stage.js').UserOptions }} [options]
 */
async function used(stage, { app = 'logging', platform, user } = {}) {
  const { home, page } = await stage.visitor(user);
  if (platform)
    await page.addInitScript(
      name => Object.defineProperty(navigator, 'platform', { get: () => name }),
      platform,
    );
  const viewer = await home.launch(app, stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  const keys = await Keys.of(page);
  const seen = new Seen(stage.host, viewer.instanceId);
  // Begins with the keyboard where it belongs.
  await until('the picture has the keyboard', () => hasKeyboard(page));
  return { page, viewer, keys, seen };
}

/** Whether keys go to the program. @param {import('playwright-core').Page} page */
const hasKeyboard = page =>
  page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.localName === 'textarea');

/** @typedef {[code: string, key: string, holding: import('./harness/keys.js').Modifier[], sees: string]} Row */

/** @type {Row[]} */
// biome-ignore format: a table
const ROWS = [
  ['KeyA', 'a', [], 'a'], ['KeyA', 'A', ['Shift'], 'A'],
  // German.
  ['KeyY', 'z', [], 'z'], ['Minus', 'ß', [], 'ß'], ['BracketRight', '+', ['Control'], 'Control++'],
  ['Digit7', '/', ['Control', 'Shift'], 'Control+/'], ['KeyY', 'z', ['Control'], 'Control+z'],
  // French.
  ['KeyW', 'z', ['Control'], 'Control+z'], ['Slash', '!', [], '!'], ['Digit1', '&', ['Control'], 'Control+1'],
  // Russian, Greek: type it once, then use it as a command.
  ['KeyC', 'с', [], 'с'], ['KeyC', 'с', ['Control'], 'Control+c'], ['KeyC', 'ψ', [], 'ψ'], ['KeyC', 'ψ', ['Control'], 'Control+c'],
  // Dvorak.
  ['KeyN', 'b', ['Control'], 'Control+b'],
  ['Numpad1', '1', [], 'KP_1'], ['Numpad1', 'End', [], 'KP_End'], ['Numpad1', '1', [], 'KP_1'],
  ['ArrowLeft', 'ArrowLeft', ['Shift'], 'Shift+Left'], ['KeyL', 'l', ['Alt'], 'Alt+l'],
];

scenario('every keyboard types its characters and commands', async stage => {
  const { keys, seen } = await used(stage);
  for (const [code, key, holding] of ROWS) await keys.tap(code, key, holding);
  await seen.become(ROWS.map(([, , , sees]) => sees));
  // A modifier whose press, and one whose release, nobody saw.
  await keys.flagged('ArrowLeft', 'ArrowLeft', ['Control']);
  await keys.tap('KeyA', 'a');
  await keys.press('MetaLeft', 'Meta');
  await keys.tap('KeyB', 'b');
  await keys.tap('', 'Enter');
  await seen.become(['Control+left', 'a', 'b', 'Return']);
});

scenario(
  'a held key repeats what it made, as often as the keyboard says and never by itself',
  async stage => {
    const { keys, seen, page } = await used(stage);
    await keys.press('Slash', '!');
    for (let i = 0; i < 5; i++) {
      await keys.repeat('Slash', '!');
      await until('it arrived', () => seen.presses().length >= i + 2);
    }
    await keys.release('Slash', '!');
    await seen.become(Array(6).fill('!'));
    await keys.press('Delete', 'Delete');
    await until('it arrived', () => seen.presses().length === 1);
    await never('the display repeats it', () => seen.presses().length > 1, 1_500);
    await keys.release('Delete', 'Delete');
    assert.equal(await hasKeyboard(page), true);
  },
);

scenario('a key that was held while the host heard nothing does not go on afterwards', async stage => {
  const { keys, seen } = await used(stage);
  await keys.press('Delete', 'Delete');
  await until('it arrived', () => seen.presses().length === 1);
  const pid = stage.host.pid;
  process.kill(pid, 'SIGSTOP');
  try {
    // As a keyboard does, for longer than the answer to a ping may take.
    for (const begun = Date.now(); Date.now() - begun < 2_500; ) await keys.repeat('Delete', 'Delete');
    await keys.release('Delete', 'Delete');
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await keys.tap('KeyZ', 'z');
  await until('the next key arrived', () => seen.presses().at(-1) === 'z');
  const deletes = seen.presses().filter(key => key === 'Delete').length;
  assert.ok(deletes < 12, `${deletes} times`);
});

scenario('a program that reads places gets the keypad, dead keys and those of input methods', async stage => {
  const { keys, seen } = await used(stage, { app: 'places' });
  await keys.tap('KeyY', 'z');
  await keys.tap('Numpad1', '1');
  await keys.tap('Numpad1', 'End');
  await keys.tap('Equal', 'Dead');
  await seen.become(['y', 'KP_1', 'KP_End', '=']);
});

scenario('Option of a Mac makes characters, and Command and V paste', async stage => {
  const { keys, seen, page } = await used(stage, { platform: 'MacIntel' });
  await keys.tap('KeyL', '@', ['Alt']);
  await keys.tap('Digit5', '[', ['Alt']);
  await keys.tap('ArrowLeft', 'ArrowLeft', ['Alt']);
  await seen.become(['@', '[', 'Alt+left']);
  assert.equal(await hasKeyboard(page), true);
});

scenario('what is pasted is typed, by every way that a browser has', async stage => {
  const permissions = ['clipboard-read', 'clipboard-write'];
  const { page, seen, keys } = await used(stage, { user: { permissions } });
  /** @param {string} text */
  const copy = text => page.evaluate(it => navigator.clipboard.writeText(it), text);
  /** @param {string} text */
  const typed = text => [...text].map(c => (c === '\n' ? 'Return' : c === '\t' ? 'Tab' : c));
  for (const [chord, text] of [
    ['Control+v', 'one\ntwo'],
    ['Control+Shift+v', 'Zwölf'],
    ['Shift+Insert', '3 €'],
  ]) {
    await copy(text);
    await page.keyboard.press(chord);
    await seen.become(typed(text));
  }
  // The program's own clipboard comes first after a copy in it.
  await keys.tap('KeyC', 'c', ['Control']);
  await page.keyboard.press('Control+v');
  await seen.become(['Control+c', 'Control+v']);
  await copy('');
  await page.keyboard.press('Control+Shift+V');
  await seen.become(['Control+Shift+v']);
  await copy('x'.repeat(300_000));
  await page.keyboard.press('Control+Shift+V');
  await until('it is refused with a word', async () =>
    /too much to paste/.test(await new Viewer(page).says()),
  );
  await keys.tap('KeyE', 'e');
  await seen.become(['e']);
});

scenario('a long text in several lines is pasted whole', async stage => {
  const { home, page } = await stage.visitor({ permissions: ['clipboard-read', 'clipboard-write'] });
  const viewer = await home.launch('listener', stage.host);
  await viewer.connected();
  await until('the picture has the keyboard', () => hasKeyboard(page));
  const lines = Array.from(
    { length: 70 },
    (_, i) => `${i}: The quick brown fox jumps over the lazy dog; Grüße an 1+1=2, {a[0]} & "b".`,
  );
  const text = `${lines.join('\n')}\n`;
  assert.ok(text.length > 5_000);
  await page.evaluate(it => navigator.clipboard.writeText(it), text);
  await page.keyboard.press('Control+Shift+v');
  await until(
    'the program heard all of it',
    () => {
      const heard = stage.host.outputOf(viewer.instanceId).match(/(?<=heard: ).*/g) ?? [];
      if (heard.length < lines.length) throw new Error(`${heard.length} lines`);
      assert.deepEqual(heard, lines);
      return true;
    },
    // Every character is a press, and takes its time.
    { within: 90_000 },
  );
});

scenario("the buttons Back and Forward of a mouse are the program's", async stage => {
  const { page, viewer, seen } = await used(stage);
  const address = page.url();
  const session = await page.context().newCDPSession(page);
  const { x, y } = await viewer.onPage(300, 200);
  for (const [button, buttons] of /** @type {const} */ ([
    ['back', 8],
    ['forward', 16],
  ])) {
    await session.send('Input.dispatchMouseEvent', {
      type: 'mousePressed',
      x,
      y,
      button,
      buttons,
      clickCount: 1,
    });
    await session.send('Input.dispatchMouseEvent', {
      type: 'mouseReleased',
      x,
      y,
      button,
      buttons: 0,
      clickCount: 1,
    });
  }
  await until('the program sees them', () => seen.buttons().join() === '8,9');
  await never('the page is left', () => page.url() !== address, 1_000);
  await viewer.pattern.appears();
});

scenario('the keyboard goes back to the picture, whatever closes', async stage => {
  const { page, seen, keys } = await used(stage);
  /** @param {string} what */
  const back = async what => {
    await until(`the keyboard is back after ${what}`, () => hasKeyboard(page));
    await keys.tap('KeyK', 'k');
    await seen.become(['k']);
  };
  const button = (/** @type {string} */ action) => page.locator(`.toolbar [data-action="${action}"]`);
  const open = async (/** @type {string} */ action) => {
    await page.mouse.move(640, 2);
    await page.locator('.handle').dispatchEvent('click');
    await button(action).click();
  };
  await open('stats');
  await back('Statistics');
  await open('stats');
  await open('share');
  await page.locator('dialog[open]').waitFor();
  await page.keyboard.press('Escape');
  await back('Share and Escape');
  await open('share');
  await page.locator('dialog [data-action="close"]').click();
  await back('Share and Close');
  await open('terminate');
  await button('cancel').click();
  await back('a cancelled Terminate');
  await open('terminate');
  await page.keyboard.press('Escape');
  await back('Terminate and Escape');
});

scenario("F11 is the program's while the browser hands its shortcuts over", async stage => {
  const { page, seen, keys } = await used(stage);
  await page.evaluate(() => {
    /** @type {any} */ (document.querySelector('heliostat-viewer')).keyboardLocked = true;
  });
  await keys.tap('F11', 'F11');
  await seen.become(['F11']);
});

scenario('on a tablet a button opens the keyboard, and what it sends arrives', async stage => {
  const { page, viewer, seen } = await used(stage, {
    user: { hasTouch: true, viewport: { width: 800, height: 600 } },
  });
  const mode = () =>
    page.evaluate(() => {
      const { shadowRoot } = /** @type {HTMLElement} */ (document.querySelector('heliostat-viewer'));
      return shadowRoot?.querySelector('textarea')?.inputMode;
    });
  assert.equal(await mode(), 'none', 'a touch of the picture opens nothing');
  await viewer.bar();
  await page.locator('.toolbar [data-action="keyboard"]').tap();
  await until('the field takes text', async () => (await mode()) === 'text');
  const session = await page.context().newCDPSession(page);
  await session.send('Input.insertText', { text: 'hä' });
  await session.send('Input.imeSetComposition', { text: 'wor', selectionStart: 3, selectionEnd: 3 });
  await session.send('Input.insertText', { text: 'world' });
  await page.evaluate(() => {
    // As an on-screen keyboard deletes, without a key.
    document.execCommand('delete');
  });
  await seen.become([...'häworld', 'BackSpace']);
});

scenario('who only watches is told so at a click or a key, quietly', async stage => {
  const { page, viewer } = await used(stage);
  const watcher = await (await stage.stranger()).newPage();
  await watcher.goto(page.url());
  const watching = new Viewer(watcher);
  await watching.connected();
  await watching.becomesRole('spectator');
  const hint = watcher.locator('heliostat-viewer .hint');
  assert.equal(await hint.isVisible(), false);
  // It is there for some seconds.
  await Promise.all([hint.waitFor(), watching.click(300, 200)]);
  assert.match((await hint.textContent()) ?? '', /watching only/);
  await hint.waitFor({ state: 'hidden' });
  await Promise.all([hint.waitFor(), watcher.keyboard.press('a')]);
  await viewer.click(300, 200);
  assert.equal(await page.locator('heliostat-viewer .hint').isVisible(), false, 'who steers is told nothing');
});
