// Takes the pictures of the documentation: node screenshots.js FOLDER

import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { launchBrowser, newUser } from './harness/browser.js';
import { Home } from './harness/home.js';
import { Host } from './harness/host.js';

const folder = resolve(process.argv[2] ?? 'docs/images');
mkdirSync(folder, { recursive: true });

const host = await Host.start({ sections: { instances: { capacity: 4 } } });
const browser = await launchBrowser();
try {
  const user = await newUser(browser, { viewport: { width: 1280, height: 860 } });
  const page = await user.newPage();
  await page.goto(host.entry);
  const home = new Home(page);
  await home.app('orrery').waitFor();

  // The size of the picture: nothing around it.
  await page.setViewportSize({ width: 1280, height: 720 });
  const orrery = await home.launch('orrery', host);
  const planets = orrery.instanceId;
  await orrery.connected();
  // Some days of the solar system, so that the planets stand apart.
  await sleep(6_000);
  await page.screenshot({ path: join(folder, 'stream.png') });

  await page.setViewportSize({ width: 1280, height: 860 });
  await page.goto(host.origin);
  const terminal = await home.launch('xterm', host);
  const shell = terminal.instanceId;
  await terminal.connected();
  await terminal.click(300, 200);
  await page.keyboard.type('uname -sr; date');
  await page.keyboard.press('Enter');
  await sleep(1_000);
  await page.goto(host.origin);
  for (const id of [planets, shell]) {
    await home.thumbnail(id, { x: 0, y: 0, width: 1, height: 1 });
  }
  await page.screenshot({ path: join(folder, 'home.png') });

  await page.goto(`${host.origin}/admin`);
  await page.locator('#content').waitFor();
  await sleep(1_500);
  await page.screenshot({ path: join(folder, 'admin.png') });
} finally {
  await browser.close();
  await host.stop().finally(() => host.destroy());
  host.removeFolder();
}
console.log(`wrote home.png, stream.png and admin.png into ${folder}`);
