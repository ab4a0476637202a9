// What a page shows of a picture: whether it stands still, and how much of it has changed.

import { until } from '../../tests/browser/harness/wait.js';

/** @typedef {import('playwright-core').Page} Page */

/** So many pixels may blink in a picture that stands still. */
const BLINKS = 400;

/** Runs in the page: the luma of the picture. @param {string} name to keep it by; empty: compare with what was kept */
function look(name) {
  const page = /** @type {any} */ (window);
  const video = /** @type {HTMLVideoElement} */ (
    /** @type {any} */ (document.querySelector('heliostat-viewer')).video
  );
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  if (canvas.width === 0) return Number.POSITIVE_INFINITY;
  const brush = /** @type {CanvasRenderingContext2D} */ (
    canvas.getContext('2d', { willReadFrequently: true })
  );
  brush.drawImage(video, 0, 0);
  const { data } = brush.getImageData(0, 0, canvas.width, canvas.height);
  const luma = new Uint8Array(data.length / 4);
  for (let i = 0; i < luma.length; i += 1)
    luma[i] = (data[4 * i] * 2 + data[4 * i + 1] * 5 + data[4 * i + 2]) >> 3;
  const before = page[`kept-${name}`];
  const compared = before?.length === luma.length ? before : null;
  let different = compared ? 0 : Number.POSITIVE_INFINITY;
  if (compared)
    for (let i = 0; i < luma.length; i += 1) different += Math.abs(luma[i] - compared[i]) > 40 ? 1 : 0;
  if (name === 'last' || !before) page[`kept-${name}`] = luma;
  return different;
}

/** Keeps what is seen now, for `changed`. @param {Page} page */
export async function mark(page) {
  await page.evaluate(() => {
    delete (/** @type {any} */ (window)['kept-mark']);
  });
  await page.evaluate(look, 'mark');
}

/** How many pixels are other ones than at `mark`. @param {Page} page */
export const changed = page => page.evaluate(look, 'mark');

/** The picture has stood still for a moment; one that always moves is given up on. @param {Page} page */
export async function settled(page) {
  let still = 0;
  try {
    await until(
      'the picture stands still',
      async () => {
        await page.waitForTimeout(400);
        still = (await page.evaluate(look, 'last')) < BLINKS ? still + 1 : 0;
        return still >= 5;
      },
      { within: 45_000 },
    );
  } catch {
    // It moves by itself.
  }
}
