// A WebSocket that drops without the page's doing: the media goes on, on the same connection, and no frame is lost.

import assert from 'node:assert/strict';

import { moving } from './harness/apps.js';
import { Home } from './harness/home.js';
import { Bystander, KEYS_ON_REQUEST, note, Recovery, rounds } from './harness/recovery.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';
import { Wire } from './harness/wire.js';

const { scenario } = suite({ apps: paths => [moving(paths)], env: KEYS_ON_REQUEST });

/** A page gives up a socket on which nothing comes after 15 s and the next look. */
const SWALLOWED = 40_000;

/** @type {{ name: string, times: number, cut: (wire: Wire) => void }[]} */
const cuts = [
  { name: 'is reset', times: rounds, cut: wire => wire.reset() },
  { name: 'is closed on the way', times: rounds, cut: wire => wire.end() },
  {
    name: 'is swallowed on the way',
    times: Math.max(1, Math.floor(rounds / 3)),
    cut: wire => wire.swallow(),
  },
];

for (const { name, times, cut } of cuts) {
  scenario(
    `a WebSocket ${name}: no frame is lost and the page finds its way back, ${times} times`,
    async stage => {
      const wire = await Wire.before(stage.host);
      try {
        const { home: other } = await stage.visitor();
        const elsewhere = await other.launch('moving', stage.host);
        await elsewhere.connected();
        const page = await (await stage.stranger()).newPage();
        await page.goto(wire.entry);
        await page.locator('article[data-app]').first().waitFor();
        const viewer = await new Home(page).launch('moving', stage.host);
        await viewer.connected();
        await viewer.pattern.appears();
        await viewer.becomesRole('owner');
        let sockets = 0;
        page.on('websocket', () => {
          sockets += 1;
        });
        const bystanders = [await Bystander.watching(elsewhere), await Bystander.watching(viewer)];
        for (const one of bystanders) await one.settle();
        const recovery = new Recovery(viewer);
        await recovery.begin();
        for (let round = 0; round < times; round += 1) {
          const before = sockets;
          const since = Date.now();
          cut(wire);
          const back = await recovery.waitFor(since, () => sockets > before, SWALLOWED);
          note(`a WebSocket ${name}`, back.took);
          assert.ok(
            back.told.every(({ state }) => state === 'connected'),
            `nobody is told: ${JSON.stringify(back.told)}`,
          );
          // What goes over the socket arrives again: control is given away and taken.
          await page.evaluate(() =>
            /** @type {any} */ (document.querySelector('heliostat-viewer')).releaseControl(),
          );
          await until('control was given away', () =>
            page.evaluate(() => !(/** @type {any} */ (document.querySelector('heliostat-viewer')).holder)),
          );
          await page.evaluate(() =>
            /** @type {any} */ (document.querySelector('heliostat-viewer')).requestControl(),
          );
          await until('control was taken', () =>
            page.evaluate(() => {
              const element = /** @type {any} */ (document.querySelector('heliostat-viewer'));
              return element.holder === element.viewerId;
            }),
          );
          for (const one of bystanders) await one.noticedNothing();
        }
        const typed = 'x'.repeat(times);
        await viewer.click(400, 100);
        await page.keyboard.type(typed);
        await viewer.pattern.textBecomes(typed);
      } finally {
        wire.close();
      }
    },
  );
}
