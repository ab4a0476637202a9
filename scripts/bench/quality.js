// How well a page shows a terminal full of text, beside what is on the display: while it stands still, and after typing.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { until } from '../../tests/browser/harness/wait.js';
import { openBrowser } from './browser.js';
import { display, psnr } from './likeness.js';
import { percentile } from './numbers.js';
import { h264, vp8 } from './rows/heliostat.js';
import { tuned } from './rows/novnc.js';
import { striped, webrtc, websockets } from './rows/selkies.js';

const ROWS = [h264, vp8, tuned, webrtc, websockets, striped];
/** Seconds after the last change of a screen that stands still. */
const STILL = [1, 2, 20, 60];
/** Seconds after a line was typed, and a page of text came. */
const TYPED = [0.3, 1, 2];

const { values } = parseArgs({ options: { rounds: { type: 'string' }, rows: { type: 'string' } } });
const rows = ROWS.filter(row => !values.rows || values.rows.split(',').includes(row.key));
/** @type {Map<string, Map<string, number[]>>} */
const seen = new Map();

for (let round = 1; round <= Number(values.rounds ?? 3); round += 1) {
  for (const row of rows) {
    const missing = row.missing();
    if (missing) {
      console.error(`left out: ${row.name} (${missing})`);
      continue;
    }
    const { browser, context } = await openBrowser(row.prepare);
    let subject = null;
    try {
      subject = await row.start('listing', context);
      const page = await context.newPage();
      await page.goto(subject.url);
      await until('there is a picture', () => page.evaluate(() => bench.brightness() !== null));
      await after(row.name, 'still', STILL, page, subject);
      const { x, y, width, height } = await page.evaluate(() => bench.rect());
      await page.mouse.click(x + width / 2, y + height / 2);
      await page.keyboard.type('seq 3000 3040', { delay: 40 });
      await page.keyboard.press('Enter');
      await after(row.name, 'typed', TYPED, page, subject);
    } catch (error) {
      console.error(`${row.name}: ${/** @type {Error} */ (error).message}`);
    } finally {
      await browser.close();
      await subject?.stop();
    }
  }
}

const head = ['', ...STILL.map(s => `still, ${s} s`), ...TYPED.map(s => `typed, ${s} s`)];
console.log(`| ${head.join(' | ')} |\n| --- ${'| ---: '.repeat(head.length - 1)}|`);
for (const [name, figures] of seen) {
  const cells = head.slice(1).map(when => {
    const all = figures.get(when) ?? [];
    return all.length > 0 ? `${percentile(all, 50).toFixed(1)} (${Math.min(...all).toFixed(1)})` : '–';
  });
  console.log(`| ${[name, ...cells].join(' | ')} |`);
}

/** Looks after so many seconds, from now. */
async function after(name, what, seconds, page, subject) {
  const begun = Date.now();
  for (const second of seconds) {
    await sleep(Math.max(0, begun + second * 1000 - Date.now()));
    const shown = await page.evaluate(() => bench.brightness());
    const likeness = psnr(Buffer.from(shown ?? '', 'base64'), display(subject.groups()));
    const figures = seen.get(name) ?? new Map();
    seen.set(name, figures);
    const when = `${what}, ${second} s`;
    figures.set(when, [...(figures.get(when) ?? []), likeness]);
    console.error(`${name} · ${when}: ${likeness.toFixed(1)} dB`);
  }
}
