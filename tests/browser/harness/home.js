// The home page as a test sees it. What it looks for stands here and nowhere else.

import assert from 'node:assert/strict';
import { Viewer } from './viewer.js';
import { until } from './wait.js';

export class Home {
  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page;
  }

  /** The catalogue's entry of an app. @param {string} id */
  app(id) {
    return this.page.locator(`article[data-app="${id}"]`);
  }

  /** The entry of an instance of mine. @param {string} id */
  instance(id) {
    return this.page.locator(`article[data-instance="${id}"]`);
  }

  /** Clicks Launch and comes out on the stream page. @param {string} app @param {import('./host.js').Host} host */
  async launch(app, host) {
    await this.app(app)
      .getByRole('button', { name: /launch/i })
      .click();
    await this.page.waitForURL(/\/stream\/[0-9a-f-]{36}/);
    const viewer = new Viewer(this.page);
    host.instances.add(viewer.instanceId);
    return viewer;
  }

  /** Clicks Rejoin. @param {string} id */
  async rejoin(id) {
    await this.instance(id).getByRole('link', { name: 'Rejoin' }).click();
    await this.page.waitForURL(`**/stream/${id}`);
    return new Viewer(this.page);
  }

  /** Clicks Terminate, and once more to agree. @param {string} id */
  async terminate(id) {
    const entry = this.instance(id);
    await entry.getByRole('button', { name: 'Terminate' }).click();
    await entry.getByRole('group').getByRole('button', { name: 'Terminate' }).click();
  }

  /**
   * The average colour of a part of an instance's thumbnail, in shares of its size.
   *
   * @param {string} id
   * @param {{ x: number, y: number, width: number, height: number }} part each from 0 to 1
   */
  async thumbnail(id, part) {
    const image = this.instance(id).locator('img.on');
    return await until('the thumbnail is loaded', async () => {
      const seen = await image.evaluate((element, { x, y, width, height }) => {
        const { naturalWidth: w, naturalHeight: h } = /** @type {HTMLImageElement} */ (element);
        if (w === 0) return null;
        const canvas = document.createElement('canvas');
        canvas.width = w;
        canvas.height = h;
        const brush = canvas.getContext('2d');
        brush?.drawImage(/** @type {HTMLImageElement} */ (element), 0, 0);
        const data =
          brush?.getImageData(x * w, y * h, Math.max(1, width * w), Math.max(1, height * h)).data ?? [];
        const sum = [0, 0, 0];
        for (let i = 0; i < data.length; i += 4) for (let c = 0; c < 3; c += 1) sum[c] += data[i + c];
        const [r, g, b] = sum.map(all => Math.round((all * 4) / data.length));
        return { r, g, b, width: w, height: h };
      }, part);
      if (seen) assert.ok(seen.width > 100, `a picture worth looking at, not ${seen.width} px`);
      return seen;
    });
  }
}
