// A viewer without a way for WebRTC, in Firefox.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { suite } from './harness/suite.js';

const { scenario } = suite({ engine: 'firefox', apps: paths => [pattern(paths)] });

scenario('in Firefox the picture comes by a WebSocket and answers', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await page.goto(`${stage.host.origin}/stream/${viewer.instanceId}?transport=websocket`);
  await viewer.connected();
  assert.equal(await viewer.property('way'), 'websocket');
  const { flips } = await viewer.pattern.appears();
  await viewer.click(400, 100);
  await viewer.pattern.flipsBecome(flips + 1);
  await page.keyboard.type('hello');
  await viewer.pattern.textBecomes('hello');
  await viewer.picture.goesOn(10);
  console.log(`  ${/by websocket codec=\w+/.exec(stage.host.log())?.[0]}`);
});
