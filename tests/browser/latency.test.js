// How long it takes until what was pressed is seen: what the viewer says of it, and what is seen of it from outside.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { still } from './harness/apps.js';
import { FLIP } from './harness/pattern.js';
import { pidOf } from './harness/proc.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({ sections: { instances: { capacity: 4 } }, apps: paths => [still(paths)] });

/** Presses that are measured. */
const PRESSES = 10;
/** How far the viewer may be from what is seen from outside, in ms: a few frames of the page on a busy machine. */
const TOLERANCE = 100;
/** How long the program hangs, in ms. */
const HANGS = 400;

/** @param {number[]} values */
const median = values => [...values].sort((a, b) => a - b)[values.length >> 1];

/**
 * Presses on the picture and waits until it shows that.
 *
 * @param {import('./harness/viewer.js').Viewer} viewer
 * @param {{ before: () => void, after: () => Promise<unknown> }} [around] what is done right before the press, and after it
 * @returns {Promise<number>} from the press in the page to the page's frame that shows it, ms
 */
async function press(viewer, around) {
  const { page } = viewer;
  await page.evaluate(({ x, y }) => {
    const element = /** @type {any} */ (document.querySelector('heliostat-viewer'));
    const brush = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const colour = () => {
      brush?.drawImage(element.picture, x, y, 1, 1, 0, 0, 1, 1);
      const [red, , blue] = brush?.getImageData(0, 0, 1, 1).data ?? [];
      return red > blue;
    };
    const before = colour();
    /** @type {any} */ (window).testPress = new Promise(resolve => {
      const pressed = () => {
        const at = performance.now();
        const look = () => {
          const now = performance.now();
          if (colour() !== before) resolve(now - at);
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      };
      window.addEventListener('pointerdown', pressed, { capture: true, once: true });
    });
  }, FLIP);
  const place = await viewer.onPage(400, 100);
  await page.mouse.move(place.x, place.y);
  around?.before();
  await page.mouse.down();
  await around?.after();
  const ms = await until('the picture shows it', () =>
    page.evaluate(() =>
      Promise.race([/** @type {any} */ (window).testPress, new Promise(late => setTimeout(late, 1_000))]),
    ),
  );
  await page.mouse.up();
  return ms;
}

/** What the viewer has measured of the last presses, ms. @param {import('playwright-core').Page} page @returns {Promise<number[]>} */
const measured = page =>
  page.evaluate(() =>
    /** @type {any} */ (document.querySelector('heliostat-viewer')).answers.map(
      (/** @type {any} */ answer) => answer.presented - answer.sent,
    ),
  );

for (const [way, name] of [
  ['webrtc', 'WebRTC'],
  ['websocket', 'a WebSocket'],
]) {
  scenario(
    `by ${name} the viewer, its panel and the administrator are told the delay that is seen, of a program that hangs, too`,
    async stage => {
      const { home, page, user } = await stage.visitor();
      const viewer = await home.launch('still', stage.host);
      await page.goto(`${stage.host.origin}/stream/${viewer.instanceId}?transport=${way}`);
      await viewer.connected();
      await viewer.pattern.appears();
      /** The next press: what was seen, and what the viewer says. @param {Parameters<typeof press>[1]} [around] */
      const one = async around => {
        const before = (await measured(page)).length;
        const seen = await press(viewer, around);
        const said = await until('the viewer has measured it', async () => {
          const all = await measured(page);
          return all.length > before ? all : false;
        });
        assert.equal(said.length, before + 1, 'one answer for one press');
        await sleep(100 + Math.random() * 100);
        return { seen, said: said.at(-1) ?? 0 };
      };
      // The first wakes what sleeps.
      await one();
      const all = [];
      while (all.length < PRESSES) all.push(await one());
      const words = JSON.stringify(all.map(({ seen, said }) => [Math.round(seen), Math.round(said)]));
      const off = median(all.map(({ seen, said }) => Math.abs(seen - said)));
      assert.ok(off <= TOLERANCE, `off by ${off} ms: ${words}`);

      const app = await pidOf(viewer.instanceId, 'render');
      // No sooner: where a program stands still for longer, the page says so and takes no press.
      const late = await one({
        before: () => process.kill(app, 'SIGSTOP'),
        after: async () => {
          await sleep(HANGS);
          process.kill(app, 'SIGCONT');
        },
      });
      assert.ok(late.said >= HANGS - 20, `${late.said} ms of a program that hung for ${HANGS}`);
      // A page that is busy looks at its picture late.
      assert.ok(late.said <= late.seen + 2 * TOLERANCE, `${late.said} and ${late.seen} ms`);

      const figures = await page.evaluate(() => {
        const { clickToPhoton, glassToGlass } = /** @type {any} */ (
          document.querySelector('heliostat-viewer')
        );
        return { click: clickToPhoton, glass: glassToGlass };
      });
      assert.equal(figures.click.samples, PRESSES + 2);
      assert.ok(figures.click.p50_ms < HANGS && figures.click.p95_ms >= HANGS - 20, JSON.stringify(figures));
      // A program that hangs makes no picture older.
      assert.ok(figures.glass.samples >= 5 && figures.glass.p50_ms < HANGS / 2, JSON.stringify(figures));

      await page.mouse.move(640, 2);
      await page.getByRole('button', { name: 'Statistics' }).click();
      await until('the panel says so', async () =>
        /Click to photon \d.* 95 %: \d.*Glass to glass \d/.test(await viewer.says()),
      );
      const client = await stage.rest(user);
      const peer = await viewer.property('peerId');
      await until('the administrator is told', async () => {
        const { body } = await client.get('/api/v1/admin/supervision');
        const told = body.instances[viewer.instanceId].latency[peer];
        return told?.click_to_photon?.p95_ms >= HANGS - 20 && told.glass_to_glass?.samples > 0;
      });
    },
  );
}
