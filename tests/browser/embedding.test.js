// The viewer in the pages of others.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after } from 'node:test';

import { pattern } from './harness/apps.js';
import { suite } from './harness/suite.js';
import { Viewer } from './harness/viewer.js';
import { until } from './harness/wait.js';

/** What the pages of other origins hold. */
let body = '';

/** Serves `body` from an origin of its own. @returns {Promise<string>} the origin */
async function origin() {
  const server = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end(`<!doctype html><title>Another site</title>${body}`),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => server.close());
  return `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
}

const [allowed, foreign] = [await origin(), await origin()];
const { scenario } = suite({
  sections: { server: { embedders: [allowed] }, instances: { capacity: 2 } },
  apps: paths => [pattern(paths)],
});

/** Somebody with an instance, and pages of others that hold the viewer for it. @param {import('./harness/stage.js').Stage} stage */
async function launched(stage) {
  const { user, home, page } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.stateBecomes('connected');
  const id = viewer.instanceId;
  await page.close();
  body = `<script type="module" src="${stage.host.origin}/static/viewer/element.js"></script>
    <heliostat-viewer src="${stage.host.origin}" instance="${id}" muted style="display:block;width:640px;height:360px">
    </heliostat-viewer>`;
  return { user, id };
}

scenario('a page of an allowed origin embeds the viewer, and its user steers', async stage => {
  const { user } = await launched(stage);
  const page = await user.newPage();
  await page.goto(allowed);
  const viewer = new Viewer(page);
  await viewer.stateBecomes('connected');
  const { flips } = await viewer.pattern.appears();
  await until('this viewer has control', async () => (await viewer.property('role')) === 'owner');
  await page.mouse.click(320, 180);
  await viewer.pattern.flipsBecome(flips + 1);
});

scenario('a page of another origin neither gets the viewer nor a socket', async stage => {
  const { user } = await launched(stage);
  const page = await user.newPage();
  /** @type {string[]} */
  const complaints = [];
  page.on('console', message => complaints.push(message.text()));
  await page.goto(foreign);
  await until('the browser refuses the module', () => complaints.some(text => /CORS/.test(text)));
  assert.equal(await page.evaluate(() => customElements.get('heliostat-viewer') === undefined), true);
  const closed = await page.evaluate(
    url =>
      new Promise(resolve => {
        const socket = new WebSocket(url, 'heliostat.v1');
        socket.onopen = () => resolve('open');
        socket.onclose = () => resolve('refused');
      }),
    `${stage.host.origin.replace('http', 'ws')}/ws`,
  );
  assert.equal(closed, 'refused');
});
