// The form of the picture that a user chooses.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  // So little is asked of a line that nobody is given the smaller one who has not chosen it, however busy this machine is.
  sections: { video: { bitrate_kbps: 1000, ladder: ['100/240/100', '50/30/0'] } },
  apps: paths => [pattern(paths)],
});

/** How wide the pictures are. */
const WHOLE = 640;
const HALF = 320;

/** @param {Viewer} viewer @param {number} wanted */
async function widthBecomes(viewer, wanted) {
  await until(`the picture is ${wanted} wide`, async () => {
    const { width } = await viewer.picture.look();
    if (width !== wanted) throw new Error(`${width}`);
    return true;
  });
}

/** The list in the stream page's bar. @param {Viewer} viewer */
async function choice({ page }) {
  await page.mouse.move(640, 2);
  return page.getByRole('combobox', { name: 'Picture quality' });
}

for (const [way, name] of [
  ['webrtc', 'WebRTC'],
  ['websocket', 'a WebSocket'],
]) {
  scenario(`by ${name} the picture comes in the form that is chosen, and as it fits again`, async stage => {
    const { home, page } = await stage.visitor();
    const viewer = await home.launch('pattern', stage.host);
    await page.goto(`${stage.host.origin}/stream/${viewer.instanceId}?transport=${way}`);
    await viewer.connected();
    await widthBecomes(viewer, WHOLE);
    const { flips } = await viewer.pattern.appears();
    const list = await choice(viewer);
    await until('there is something to choose', async () => {
      const options = await list.locator('option').allTextContents();
      assert.deepEqual(options, ['Automatic', '640×360 · 60 fps', '320×180 · 30 fps']);
      return true;
    });
    await list.selectOption('1');
    await widthBecomes(viewer, HALF);
    await viewer.picture.goesOn(10);
    // A place of the picture is the same place of the program, and the keys are the program's again.
    await viewer.click(200, 50);
    await page.keyboard.type('q');
    await (await choice(viewer)).selectOption('');
    await widthBecomes(viewer, WHOLE);
    // One for the click, and one for the key.
    await viewer.pattern.flipsBecome(flips + 2);
    await viewer.pattern.textBecomes('q');
  });
}

scenario(
  'what is chosen holds for this viewer alone, whichever way the picture comes, until the page is loaded anew',
  async stage => {
    const { home, user, page } = await stage.visitor();
    const viewer = await home.launch('pattern', stage.host);
    await viewer.connected();
    const other = new Viewer(await user.newPage());
    await other.page.goto(page.url());
    await other.connected();
    await (await choice(viewer)).selectOption('1');
    await widthBecomes(viewer, HALF);
    for (const way of ['websocket', 'webrtc']) {
      await page.evaluate(
        transport => document.querySelector('heliostat-viewer')?.setAttribute('transport', transport),
        way,
      );
      await until(`it comes by ${way}`, async () => (await viewer.property('way')) === way);
      await viewer.connected();
      await widthBecomes(viewer, HALF);
      await viewer.picture.goesOn(10);
      assert.equal((await viewer.picture.look()).width, HALF);
    }
    await other.picture.goesOn(10);
    assert.equal((await other.picture.look()).width, WHOLE, "the other's is the whole");
    const complaint = await page.evaluate(
      () =>
        new Promise(resolve => {
          const element = document.querySelector('heliostat-viewer');
          element?.addEventListener('error', event =>
            resolve(/** @type {CustomEvent} */ (event).detail.code),
          );
          element?.setAttribute('rendition', '2');
        }),
    );
    assert.equal(complaint, 'no_such_rendition');
    await widthBecomes(viewer, WHOLE);
    await (await choice(viewer)).selectOption('1');
    await widthBecomes(viewer, HALF);
    await page.reload();
    await viewer.connected();
    await widthBecomes(viewer, WHOLE);
    await viewer.picture.goesOn(10);
    assert.equal((await viewer.picture.look()).width, WHOLE);
  },
);
