// What a viewer really sees: the pixels of the <video> in the page, or of the canvas where the picture comes by a WebSocket.

import { until } from './wait.js';

/**
 * A rectangle in pixels of the picture.
 *
 * @typedef {{ x: number, y: number, width: number, height: number }} Region
 * @typedef {{ r: number, g: number, b: number }} Colour
 * @typedef {object} Snapshot
 * @property {number} width of the picture in pixels; 0 before the first frame
 * @property {number} height
 * @property {Colour[]} colours averages of the regions asked for
 */

/**
 * Runs in the page.
 *
 * @param {{ regions: Region[] }} question
 * @returns {Snapshot}
 */
function look({ regions }) {
  const viewer = /** @type {any} */ (document.querySelector('heliostat-viewer'));
  const picture = /** @type {HTMLVideoElement | HTMLCanvasElement | undefined} */ (viewer?.picture);
  const [width, height] =
    picture instanceof HTMLVideoElement
      ? [picture.videoWidth, picture.videoHeight]
      : [picture?.width ?? 0, picture?.height ?? 0];
  // A video whose track has ended, or has brought nothing yet, is black and 2×2 in Chromium.
  if (!picture || width <= 2) return { width: 0, height: 0, colours: [] };
  const page = /** @type {any} */ (window);
  page.testCanvas ??= document.createElement('canvas');
  const canvas = /** @type {HTMLCanvasElement} */ (page.testCanvas);
  Object.assign(canvas, { width, height });
  const brush = canvas.getContext('2d', { willReadFrequently: true });
  if (!brush) throw new Error('no canvas');
  brush.drawImage(picture, 0, 0);
  const colours = regions.map(region => {
    const { data } = brush.getImageData(region.x, region.y, region.width, region.height);
    const sum = [0, 0, 0];
    for (let i = 0; i < data.length; i += 4) for (let c = 0; c < 3; c += 1) sum[c] += data[i + c];
    const [r, g, b] = sum.map(all => Math.round((all * 4) / data.length));
    return { r, g, b };
  });
  return { width, height, colours };
}

/** @param {Colour} a @param {Colour} b */
export function distance(a, b) {
  return Math.hypot(a.r - b.r, a.g - b.g, a.b - b.b);
}

export class Picture {
  /** @param {import('playwright-core').Page} page a stream page */
  constructor(page) {
    this.page = page;
  }

  /** @param {Region[]} [regions] @returns {Promise<Snapshot>} */
  look(regions = []) {
    return this.page.evaluate(look, { regions });
  }

  /**
   * Waits for a first frame.
   *
   * @param {number} [within] milliseconds
   */
  async appears(within = 60_000) {
    return await until(
      'a picture appears',
      async () => {
        const seen = await this.look();
        return seen.width > 0 && seen;
      },
      { within },
    );
  }

  /** The average colour of a region. @param {Region} region */
  async colour(region) {
    const { colours } = await this.look([region]);
    if (colours.length === 0) throw new Error('no picture yet');
    return colours[0];
  }

  /**
   * Waits until a region has a colour, or nearly: what was encoded is never exact.
   *
   * @param {Region} region
   * @param {Colour} wanted
   * @param {number} [within] milliseconds
   */
  async becomes(region, wanted, within = 30_000) {
    const { r, g, b } = wanted;
    await until(
      `the picture becomes rgb(${r}, ${g}, ${b}) at ${region.x}, ${region.y}`,
      async () => {
        const seen = await this.colour(region);
        if (distance(seen, wanted) > 60) throw new Error(`it is ${JSON.stringify(seen)}`);
        return true;
      },
      { within },
    );
  }

  /** Waits until the picture changes somewhere in a region. @param {Region} region @param {number} [within] */
  async moves(region, within = 30_000) {
    const columns = Array.from({ length: 16 }, (_, i) => ({
      x: region.x + Math.floor((i * region.width) / 16),
      y: region.y,
      width: Math.max(1, Math.floor(region.width / 16)),
      height: region.height,
    }));
    const before = await this.look(columns);
    await until(
      'the picture moves',
      async () => {
        const now = await this.look(columns);
        return now.colours.some((colour, i) => distance(colour, before.colours[i]) > 12);
      },
      { within },
    );
  }

  /** Frames decoded on the current connection. */
  framesDecoded() {
    return this.page.evaluate(async () => {
      const viewer = /** @type {any} */ (document.querySelector('heliostat-viewer'));
      return (await viewer.statistics())?.frames ?? 0;
    });
  }

  /** Waits for frames that were not there yet. @param {number} [more] @param {number} [within] */
  async goesOn(more = 3, within = 30_000) {
    const before = await this.framesDecoded();
    await until('further frames arrive', async () => (await this.framesDecoded()) >= before + more, {
      within,
    });
  }
}
