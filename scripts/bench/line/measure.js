// What a viewer at the end of a line sees of a row.

import { setTimeout as sleep } from 'node:timers/promises';

import { openBrowser } from '../browser.js';
import { display, hang, ssim } from '../likeness.js';
import { freePort } from '../places.js';

/** How long is waited for a picture, ms. */
const FIRST = 30_000;
/** Between presses, ms, at random. */
const PRESSES = [400, 900];
/** After the last movement: when the picture is compared with the display, s. */
const STILL = [1, 5];

/**
 * @typedef {object} Trace what was seen of one row on one line; times by the wall clock, ms
 * @property {number | null} first from the navigation to the first frame
 * @property {number} loaded until the last of the scripts before it was there
 * @property {number} from the measured time
 * @property {number} to
 * @property {number[]} frames
 * @property {{ at: number, seen: number | null }[]} presses
 * @property {{ at: number, is: 'worse' | 'gone' | 'better' }[]} steps
 * @property {import('../../../tests/browser/harness/line.js').Second[]} seconds
 * @property {Record<number, number>} still SSIM so many seconds after the last movement
 * @property {string} picture what the page draws with
 * @property {any} [received] what the browser counted of the video, at the end
 */

/**
 * @param {any} row @param {import('./catalogue.js').LineOf} of @param {string} content @param {number} duration s
 * @param {import('../../../tests/browser/harness/line.js').Line} line
 * @param {string} program the browser, where the viewer is
 * @returns {Promise<Trace>}
 */
export async function measureLine(row, of, content, duration, line, program) {
  const where = { address: line.host, port: of.port ?? (await freePort()) };
  // WebCodecs are there for pages that are as good as encrypted only, as they are on loopback.
  const flags = [`--unsafely-treat-insecure-origin-as-secure=http://${where.address}:${where.port}`];
  await line.change({ both: {} });
  const { browser, context } = await openBrowser(row.prepare, { flags, program });
  let subject = null;
  try {
    subject = await row.start(content, context, where);
    const page = await context.newPage();
    await sleep(1_000);
    await line.change(of.shapes);
    return await watch(page, subject, of, duration, line);
  } finally {
    await browser.close();
    await line.change({ both: {} });
    await subject?.stop();
  }
}

/** @param {import('playwright-core').Page} page @param {any} subject @param {import('./catalogue.js').LineOf} of @param {number} duration @param {import('../../../tests/browser/harness/line.js').Line} line @returns {Promise<Trace>} */
async function watch(page, subject, of, duration, line) {
  await page.goto(subject.url, { waitUntil: 'commit', timeout: FIRST });
  const first = await page.evaluate(() => bench.first);
  const loaded = await page.evaluate(end => {
    const scripts = performance.getEntriesByType('resource').filter(({ name }) => /\.m?js(\?|$)/.test(name));
    return Math.max(0, ...scripts.map(one => one.responseEnd).filter(at => at < end));
  }, first ?? FIRST);
  await page.evaluate(() => bench.record());
  const from = Date.now();
  const to = from + (of.seconds ?? duration) * 1000;
  const steps = [];
  const happen = async () => {
    for (const { at, shapes, moves, is } of of.steps ?? []) {
      await sleep(Math.max(0, from + at * 1000 - Date.now()));
      if (shapes) await line.change(shapes);
      if (moves) line.move();
      steps.push({ at: Date.now(), is });
    }
  };
  await Promise.all([happen(), press(page, to)]);
  await sleep(Math.max(0, to - Date.now()));
  const still = {};
  hang(subject.groups());
  const stopped = Date.now();
  for (const second of STILL) {
    await sleep(Math.max(0, stopped + second * 1000 - Date.now()));
    const shown = await page.evaluate(() => bench.brightness());
    if (shown) still[second] = ssim(Buffer.from(shown, 'base64'), display(subject.groups()));
  }
  const { frames, presses } = await page.evaluate(() => bench.notes);
  return {
    first,
    loaded,
    from,
    to,
    frames: frames.filter(at => at < to),
    presses: presses.map(({ at, seen }) => ({ at, seen })),
    steps,
    seconds: line.seconds(from).filter(({ at }) => at <= to),
    still,
    picture: (await page.evaluate(() => bench.kind())) ?? 'none',
    received: await page.evaluate(() => bench.received()),
  };
}

/** Presses the mouse over the picture until a time, each time when the last press was seen or given up. @param {import('playwright-core').Page} page @param {number} to */
async function press(page, to) {
  while (Date.now() < to - 1_000) {
    const rect = await page.evaluate(() => bench.rect());
    if (rect) {
      await page.mouse.move(rect.x + rect.width / 2, rect.y + rect.height / 2);
      await page.mouse.down();
      await page.mouse.up();
    }
    const [least, most] = PRESSES;
    await sleep(Math.min(least + Math.random() * (most - least), Math.max(0, to - Date.now())));
    while (Date.now() < to && (await page.evaluate(() => bench.waits()))) await sleep(50);
  }
}
