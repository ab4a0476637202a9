// What happens when a part of a page does not arrive: fifty modules are many on a bad line.

import assert from 'node:assert/strict';

import { pattern } from './harness/apps.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({ apps: paths => [pattern(paths)] });

/** A module that the stream page needs and the home page does not. */
const PART = '**/viewer/geometry.js';

for (const [
  what,
  spoil,
] of /** @type {[string, (route: import('playwright-core').Route) => Promise<void>][]} */ ([
  ['is lost', route => route.abort('connectionreset')],
  ['is refused', route => route.fulfill({ status: 503, body: '' })],
  ['never comes', () => new Promise(() => {})],
])) {
  scenario(`a page of which one module ${what} is loaded anew by itself`, async stage => {
    const { home, page } = await stage.visitor();
    let loads = 0;
    page.on('framenavigated', () => {
      loads += 1;
    });
    await page.route(PART, route => (loads < 2 ? spoil(route) : route.continue()));
    const viewer = await home.launch('pattern', stage.host);
    await viewer.connected();
    await viewer.pattern.appears();
    assert.equal(loads, 2, 'the stream page, and once anew');
  });
}

scenario(
  'a page whose module never arrives says so after the second time, and offers to try again',
  async stage => {
    const { home, page } = await stage.visitor();
    let loads = 0;
    page.on('framenavigated', () => {
      loads += 1;
    });
    await page.route(PART, route => route.abort('connectionreset'));
    const viewer = await home.launch('pattern', stage.host);
    await until('the page says it', async () => /did not arrive/.test(await viewer.says()));
    assert.equal(loads, 2, 'the stream page, and once anew');
    await page.unroute(PART);
    await page.getByRole('button', { name: 'Reload the page' }).click();
    await viewer.connected();
  },
);
