// What is measured of a row while it shows one content.

import { setTimeout as sleep } from 'node:timers/promises';

import { openBrowser } from './browser.js';
import { percentile } from './numbers.js';
import { processorSeconds, proportionalMiB, residentMiB } from './processes.js';

/** Groups that every row has alike, and that are not the server's own work. */
const COMMON = ['display', 'app'];

/** How long pages are given to settle (encoders start, rates rise) before anything is measured, ms. */
const SETTLE = 2500;
/** How long a new tab is given before it navigates, ms. */
const TAB_SETTLE = 1000;
/** How long frames and processor time are counted, ms. */
const WATCH = 5000;

/**
 * @typedef {object} Figures
 * @property {string} picture what the page draws with: video or canvas
 * @property {number[]} clicks click to photon, ms
 * @property {number} lost clicks that never showed
 * @property {number | null} fps frames seen a second, null for still content
 * @property {Record<string, number>} cpu % of a core by group; `server`: all but display and app
 * @property {Record<string, number>} resident MiB by group, with one viewer
 * @property {number} proportional MiB of the server, with one viewer, pages shared between processes counted once
 * @property {number | null} perViewer MiB more of the host for each further viewer
 * @property {number[]} first page to first frame, ms
 * @property {import('./stages.js').Answer[]} [answers] the way of each click, where the viewer is ours
 * @property {number} [load] of the machine, this row's own work included
 */

/** @param {any} row @param {string} content @param {{ clicks: number, loads: number, viewers: number }} options */
export async function measure(row, content, options) {
  const { browser, context, version } = await openBrowser(row.prepare);
  let subject = null;
  try {
    subject = await row.start(content, context);
    const page = await context.newPage();
    await page.goto(subject.url);
    await shows(page);
    await sleep(SETTLE);
    const groups = subject.groups();
    const { cpu, fps } = await watch(page, groups, content !== 'still');
    const resident = Object.fromEntries(
      Object.entries(groups).map(([name, pids]) => [name, residentMiB(pids)]),
    );
    const proportional = proportionalMiB(ownGroups(groups).flatMap(name => groups[name]));
    const taken = await click(page, options.clicks);
    const answers = await page.evaluate(
      () => /** @type {any} */ (document.querySelector('heliostat-viewer'))?.answers ?? [],
    );
    const still = content === 'still';
    const perViewer = still && options.viewers > 1 ? await further(context, subject, options.viewers) : null;
    const picture = await page.evaluate(() => bench.kind());
    await page.close();
    const first = still ? await loads(context, subject.url, options.loads) : [];
    const clicks = taken.filter(ms => ms !== null);
    return {
      version,
      figures: {
        picture,
        clicks,
        lost: taken.length - clicks.length,
        fps,
        cpu,
        resident,
        proportional,
        perViewer,
        first,
        ...(answers.length > 0 ? { answers: answers.slice(-options.clicks) } : {}),
      },
    };
  } finally {
    await browser.close();
    await subject?.stop();
  }
}

/** The server's own groups. @param {Record<string, number[]>} groups */
const ownGroups = groups => Object.keys(groups).filter(name => !COMMON.includes(name));

/** Waits for the first frame. @param {import('playwright-core').Page} page @returns {Promise<number>} ms */
async function shows(page) {
  const at = await page.evaluate(() => bench.first);
  if (at === null) throw new Error('no picture within 30 s');
  return at;
}

/** Processor time of the groups and, where something moves, the frames seen, over the same seconds. */
async function watch(page, groups, moves) {
  const used = () => Object.entries(groups).map(([name, pids]) => [name, processorSeconds(pids)]);
  const [before, began] = [Object.fromEntries(used()), performance.now()];
  const fps = moves ? await page.evaluate(ms => bench.rate(ms), WATCH) : await sleep(WATCH, null);
  const seconds = (performance.now() - began) / 1000;
  const cpu = Object.fromEntries(used().map(([name, now]) => [name, (100 * (now - before[name])) / seconds]));
  cpu.server = ownGroups(groups).reduce((sum, name) => sum + cpu[name], 0);
  return { cpu, fps };
}

/**
 * Presses the mouse over the picture, again and again after a random pause, as a user's hand would: through the
 * browser's input pipeline.
 *
 * @param {import('playwright-core').Page} page
 * @param {number} count
 * @returns {Promise<(number | null)[]>}
 */
async function click(page, count) {
  const { x, y, width, height } = await page.evaluate(() => bench.rect());
  await page.mouse.move(x + width / 2, y + height / 2);
  const taken = [];
  // The first presses wake what slept (focus, the page's code) and are not counted.
  for (let i = -3; i < count; i += 1) {
    await sleep(150 + Math.random() * 250);
    if (!(await page.evaluate(() => bench.arm()))) throw new Error('the picture is gone');
    await page.mouse.down();
    const ms = await page.evaluate(() => bench.taken());
    await page.mouse.up();
    if (i >= 0) taken.push(ms);
  }
  return taken;
}

/** What each further viewer of the same instance costs the host. */
async function further(context, subject, viewers) {
  const host = () => residentMiB(subject.groups().host ?? []);
  if (host() === 0) return null;
  const before = host();
  const pages = [];
  for (let i = 1; i < viewers; i += 1) {
    const page = await context.newPage();
    pages.push(page);
    await page.goto(subject.url);
    await shows(page);
  }
  await sleep(SETTLE);
  const more = (host() - before) / (viewers - 1);
  for (const page of pages) await page.close();
  return more;
}

/**
 * Opens the page anew, one after the other, the browser's cache warm. The tab is there before, and the browser at rest:
 * what it takes to make a tab is no part of the page.
 *
 * @returns {Promise<number[]>} ms each
 */
async function loads(context, url, count) {
  const taken = [];
  for (let i = 0; i < count; i += 1) {
    const page = await context.newPage();
    await sleep(TAB_SETTLE);
    await page.goto(url, { waitUntil: 'commit' });
    taken.push(await shows(page));
    await page.close();
  }
  return taken;
}

/** One line on a row's figures, for who watches. @param {any} figures */
export function inShort({ picture, clicks, lost, fps, cpu, first }) {
  const p = q => percentile(clicks, q).toFixed(0);
  const parts = [picture, `${p(50)}/${p(95)} ms (n ${clicks.length}, lost ${lost})`];
  parts.push(`server ${cpu.server.toFixed(1)} %`);
  if (fps !== null) parts.push(`${fps.toFixed(0)} fps`);
  if (first.length) parts.push(`first frame ${percentile(first, 50).toFixed(0)} ms`);
  return parts.join(' · ');
}
