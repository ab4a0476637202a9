// The form of the picture that a user chooses.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { video: { ladder: ['100/240/1200', '50/30/0'] } },
  apps: paths => [pattern(paths)],
});

for (const [way, name] of [
  ['webrtc', 'WebRTC'],
  ['websocket', 'a WebSocket'],
]) {
  scenario(`by ${name} the picture comes in the form that is chosen, and as it fits again`, async stage => {
    const { home, page } = await stage.visitor();
    const viewer = await home.launch('pattern', stage.host);
    await page.goto(`${stage.host.origin}/stream/${viewer.instanceId}?transport=${way}`);
    await viewer.connected();
    const width = (/** @type {number} */ wanted) =>
      until(`the picture is ${wanted} wide`, async () => {
        const { width: seen } = await viewer.picture.look();
        if (seen !== wanted) throw new Error(`${seen}`);
        return true;
      });
    await width(640);
    const { flips } = await viewer.pattern.appears();
    await page.mouse.move(640, 2);
    const choice = page.getByRole('combobox', { name: 'Picture quality' });
    assert.deepEqual(await choice.locator('option').allTextContents(), [
      'Automatic',
      '640×360 · 60 fps',
      '320×180 · 30 fps',
    ]);
    await choice.selectOption('1');
    await width(320);
    await viewer.picture.goesOn(10);
    // A place of the picture is the same place of the program, and the keys are the program's again.
    await viewer.click(200, 50);
    await page.keyboard.type('q');
    await page.mouse.move(640, 2);
    await choice.selectOption('');
    await width(640);
    await viewer.pattern.flipsBecome(flips + 1);
    await viewer.pattern.textBecomes('q');
  });
}
