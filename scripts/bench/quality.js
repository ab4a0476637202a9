// How well a page shows a terminal full of text, beside what is on the display: while it stands still, and after typing.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { until } from '../../tests/browser/harness/wait.js';
import { openBrowser } from './browser.js';
import { percentile } from './numbers.js';
import { h264, vp8 } from './rows/heliostat.js';
import { tuned } from './rows/novnc.js';
import { striped, webrtc, websockets } from './rows/selkies.js';

const ROWS = [h264, vp8, tuned, webrtc, websockets, striped];
const PIXELS = 1280 * 720;
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

/** Decibels; 99 where nothing differs. @param {Buffer} a @param {Buffer} b */
function psnr(a, b) {
  if (a.length !== b.length) return 0;
  let squares = 0;
  for (let i = 0; i < a.length; i += 1) squares += (a[i] - b[i]) ** 2;
  return squares === 0 ? 99 : 10 * Math.log10((255 * 255 * a.length) / squares);
}

/** The brightness of what is on the row's display (X Window Dump, 32 bits a pixel). @param {Record<string, number[]>} groups */
function display(groups) {
  const [pid] = groups.capture ?? groups.app;
  const env = Object.fromEntries(
    readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .map(entry => entry.split(/=(.*)/s).slice(0, 2)),
  );
  const { DISPLAY, XAUTHORITY = '' } = env;
  const dump = execFileSync('xwd', ['-silent', '-root', '-display', DISPLAY], {
    env: { PATH: process.env.PATH, XAUTHORITY },
    maxBuffer: 64 << 20,
  });
  const [size, stride, colours] = [dump.readUInt32BE(0), dump.readUInt32BE(48), dump.readUInt32BE(76)];
  const luma = Buffer.alloc(PIXELS);
  for (let i = 0; i < PIXELS; i += 1) {
    const at = size + colours * 12 + Math.floor(i / 1280) * stride + (i % 1280) * 4;
    luma[i] = Math.round(0.299 * dump[at + 2] + 0.587 * dump[at + 1] + 0.114 * dump[at]);
  }
  return luma;
}
