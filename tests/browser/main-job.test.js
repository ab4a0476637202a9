// The main job, end to end: launch a program from a web page, see it, use it, leave, rejoin, share it.

import assert from 'node:assert/strict';

import { logging, pattern } from './harness/apps.js';
import { Fidelity } from './harness/fidelity.js';
import { Home } from './harness/home.js';
import { EVEN, FLIP, ODD } from './harness/pattern.js';
import { distance } from './harness/picture.js';
import { pidOf, programsOf } from './harness/proc.js';
import { onlyCodec } from './harness/receivers.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { never, until } from './harness/wait.js';

const { scenario } = suite({
  // The last two are there for browsers that want nothing else.
  sections: { instances: { capacity: 8 }, video: { codecs: ['h264', 'vp8', 'vp9', 'av1'] } },
  apps: paths => [pattern(paths), logging(paths)],
});

/** Where the shapes of the pattern's animation are. */
const CONTENT = { x: 300, y: 0, width: 340, height: 300 };

scenario('a click on Launch brings the moving picture of the program', async stage => {
  const { home } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  const { width, height } = await viewer.picture.look();
  assert.deepEqual([width, height], [640, 360]);
  await viewer.pattern.appears();
  await viewer.picture.moves(CONTENT);
  await viewer.picture.goesOn();
  assert.equal(await viewer.property('role'), 'owner');
});

/** How far colours may be off. AV1 cannot say that they are BT.601's, and Chromium takes them for BT.709's. */
const OFF = { H264: 9, VP8: 9, VP9: 9, AV1: 20 };

for (const [codec, off] of Object.entries(OFF)) {
  scenario(`colours arrive by ${codec} as the program drew them`, async stage => {
    const { home, page } = await stage.visitor();
    await page.addInitScript(onlyCodec, codec);
    const viewer = await home.launch('pattern', stage.host);
    await viewer.connected();
    const { flips } = await viewer.pattern.appears();
    assert.equal((await new Fidelity(viewer).received()).codec, `video/${codec}`);
    for (const flip of [0, 1]) {
      const drawn = (flips + flip) % 2 === 0 ? EVEN : ODD;
      await until('the colour is the drawn one', async () => {
        const { colours } = await viewer.picture.look([FLIP]);
        if (colours[0] && distance(colours[0], drawn) < off) return true;
        throw new Error(`${JSON.stringify(colours[0])} instead of ${JSON.stringify(drawn)}`);
      });
      await viewer.click(400, 100);
      await viewer.pattern.flipsBecome(flips + flip + 1);
    }
  });
}

scenario('the token is exchanged and no longer in the address', async stage => {
  const { page, user } = await stage.visitor();
  await until('the token is gone from the address', () => !page.url().includes(stage.host.token));
  await page.goto(stage.host.origin);
  await new Home(page).app('pattern').waitFor();
  const cookies = await user.cookies(stage.host.origin);
  assert.ok(cookies.length >= 2, 'a cookie for the access, one for the session');
  for (const cookie of cookies) assert.ok(cookie.httpOnly, `${cookie.name} is HttpOnly`);
});

scenario('clicks, wheel and keys reach the program', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  const { flips } = await viewer.pattern.appears();
  await viewer.picture.becomes(FLIP, flips % 2 === 0 ? EVEN : ODD);

  await viewer.click(400, 100);
  await viewer.pattern.flipsBecome(flips + 1);
  await viewer.picture.becomes(FLIP, flips % 2 === 0 ? ODD : EVEN);
  await viewer.click(400, 100, { button: 'right' });
  await viewer.pattern.flipsBecome(flips + 2);
  await page.mouse.wheel(0, 120);
  await until('the wheel flips', async () => (await viewer.pattern.read()).flips > flips + 2);

  const text = 'Hello, World! ~42%';
  await page.keyboard.type(text);
  await viewer.pattern.textBecomes(text);
  await page.keyboard.press('Backspace');
  await viewer.pattern.textBecomes(text.slice(0, -1));
  await page.keyboard.press('Enter');
  await page.keyboard.type('é');
  await viewer.pattern.textBecomes('é');
});

for (const viewport of [
  { width: 1280, height: 800 },
  { width: 500, height: 900 },
  { width: 1500, height: 420 },
]) {
  scenario(
    `a click lands where it was made in a window of ${viewport.width}×${viewport.height}`,
    async stage => {
      const { home } = await stage.visitor({ viewport });
      const viewer = await home.launch('logging', stage.host);
      await viewer.connected();
      await viewer.pattern.appears();
      // What is clicked while the page's bar is over it is the bar's.
      await viewer.page.locator('.chrome.away').waitFor({ state: 'attached' });
      const id = viewer.instanceId;
      const presses = () =>
        [...stage.host.outputOf(id).matchAll(/kind=button_press button=(\d+) x=(\d+) y=(\d+)/g)].map(
          ([, ...numbers]) => numbers.map(Number),
        );
      const places = [
        [3, 3],
        [636, 3],
        [3, 356],
        [636, 356],
        [320, 180],
        [201, 77],
      ];
      for (const [index, [x, y]] of places.entries()) {
        await viewer.click(x, y);
        const [button, seenX, seenY] = await until(
          'the program says where it was clicked',
          () => presses()[index],
        );
        const { scale } = await viewer.onPage(x, y);
        const within = Math.max(1, Math.ceil(1 / scale));
        assert.equal(button, 1);
        assert.ok(Math.abs(seenX - x) <= within, `x ${seenX} instead of ${x}, scale ${scale}`);
        assert.ok(Math.abs(seenY - y) <= within, `y ${seenY} instead of ${y}, scale ${scale}`);
      }
    },
  );
}

scenario('a click beside the picture does not reach the program', async stage => {
  const { home, page } = await stage.visitor({ viewport: { width: 500, height: 900 } });
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  const { flips } = await viewer.pattern.appears();
  const top = await viewer.onPage(320, 0);
  const box = await page.locator('heliostat-viewer').boundingBox();
  assert.ok(box && top.y - box.y > 60, 'there is room above the picture');
  await page.mouse.click(top.x, (box.y + top.y) / 2);
  await viewer.click(400, 100);
  await viewer.pattern.flipsBecome(flips + 1);
});

scenario('two instances do not mix', async stage => {
  const { home, user } = await stage.visitor();
  const one = await home.launch('pattern', stage.host);
  const secondPage = await user.newPage();
  await secondPage.goto(stage.host.origin);
  const two = await new Home(secondPage).launch('pattern', stage.host);
  assert.notEqual(one.instanceId, two.instanceId);
  await Promise.all([one.connected(), two.connected()]);
  const before = await Promise.all([one.pattern.appears(), two.pattern.appears()]);
  await one.page.bringToFront();
  await one.click(400, 100);
  await one.page.keyboard.type('one');
  await two.page.bringToFront();
  await two.click(400, 100);
  await two.page.keyboard.type('zwei');
  await one.pattern.textBecomes('one');
  await two.pattern.textBecomes('zwei');
  await one.pattern.flipsBecome(before[0].flips + 4);
  await two.pattern.flipsBecome(before[1].flips + 5);
});

scenario('a reload rejoins the same instance, as it was', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  await viewer.click(400, 100);
  await page.keyboard.type('still here');
  await viewer.pattern.textBecomes('still here');
  const url = page.url();
  const program = await pidOf(viewer.instanceId, 'render');
  await page.reload();
  await viewer.connected();
  assert.equal(page.url(), url);
  await viewer.pattern.textBecomes('still here');
  assert.equal(await pidOf(viewer.instanceId, 'render'), program, 'the same process');
  await viewer.click(400, 100);
  await page.keyboard.type('!');
  await viewer.pattern.textBecomes('still here!');
});

scenario(
  'who leaves finds the instance on the home page, with its picture, and comes back to it',
  async stage => {
    const { home, page } = await stage.visitor();
    const viewer = await home.launch('pattern', stage.host);
    const id = viewer.instanceId;
    await viewer.connected();
    const { flips } = await viewer.pattern.appears();
    await viewer.click(400, 100);
    await page.keyboard.type('back soon');
    await viewer.pattern.textBecomes('back soon');
    const odd = (flips + 1 + 'back soon'.length) % 2 === 1;

    await page.goto(stage.host.origin);
    await home.instance(id).waitFor();
    const part = { x: 0.25, y: 0.4, width: 0.1, height: 0.1 };
    const seen = await home.thumbnail(id, part);
    assert.ok(
      distance(seen, odd ? ODD : EVEN) < 60,
      `the colour of the program, not ${JSON.stringify(seen)}`,
    );
    assert.ok(Math.abs(seen.width / seen.height - 640 / 360) < 0.05, 'the shape of the picture');
    assert.match((await home.instance(id).textContent()) ?? '', /Pattern/);

    const back = await home.rejoin(id);
    assert.equal(back.instanceId, id);
    await back.connected();
    await back.pattern.textBecomes('back soon');
  },
);

scenario('the thumbnail on the home page follows the program', async stage => {
  const { home, page, user } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  const id = viewer.instanceId;
  await viewer.connected();
  const { flips } = await viewer.pattern.appears();
  const second = await user.newPage();
  await second.goto(stage.host.origin);
  const other = new Home(second);
  const part = { x: 0.25, y: 0.4, width: 0.1, height: 0.1 };
  const shows = (/** @type {import('./harness/picture.js').Colour} */ colour) =>
    until(
      'the thumbnail shows the colour',
      async () => {
        const seen = await other.thumbnail(id, part);
        if (distance(seen, colour) > 60) throw new Error(JSON.stringify(seen));
        return true;
      },
      { within: 40_000 },
    );
  await shows(flips % 2 === 0 ? EVEN : ODD);
  await page.bringToFront();
  await viewer.click(400, 100);
  await viewer.pattern.flipsBecome(flips + 1);
  await second.bringToFront();
  await shows(flips % 2 === 0 ? ODD : EVEN);
});

scenario('a second browser watches the same instance and cannot steer it', async stage => {
  const { home, page } = await stage.visitor();
  const owner = await home.launch('pattern', stage.host);
  await owner.connected();
  const { flips } = await owner.pattern.appears();

  // The address of an instance is enough to watch: no token.
  const stranger = await stage.stranger();
  const other = await stranger.newPage();
  await other.goto(page.url());
  const spectator = new Viewer(other);
  await spectator.connected();
  await spectator.pattern.appears();
  await spectator.becomesRole('spectator');

  await spectator.click(400, 100);
  await other.keyboard.type('intruder');
  await never('a spectator steers', async () => (await owner.pattern.read()).flips !== flips, 2_000);

  await owner.click(400, 100);
  await page.keyboard.type('mine');
  await owner.pattern.textBecomes('mine');
  await spectator.pattern.textBecomes('mine');
  await spectator.pattern.flipsBecome(flips + 5);
  const captures = programsOf(owner.instanceId, 'capture');
  assert.equal(captures.length, 1, 'one capture for both');

  await other.close();
  await owner.click(400, 100);
  await owner.pattern.flipsBecome(flips + 6);
});
