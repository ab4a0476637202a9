// How near what the page shows is to what is on the display: brightness, pixel by pixel.

/**
 * @typedef {object} Likeness
 * @property {number} psnr of the brightness, dB; from 48 on nobody sees a difference
 * @property {number} ssim the mean over blocks of 8×8; 1 is the same
 * @property {number} frames that were compared; the worst of them counts
 */

/**
 * @typedef {object} Colourfulness
 * @property {string} format of the decoder's picture, where that is known
 * @property {number} luma PSNR of the brightness, dB
 * @property {number} blue of the difference to blue, at full size
 * @property {number} red of the difference to red
 */

/** Runs in the page: what the others there need. */
function prepare() {
  const page = /** @type {any} */ (window);
  /** BT.601, 16 to 235: as the host converts. @param {Uint8ClampedArray} rgba */
  const brightness = rgba => {
    const luma = new Uint8Array(rgba.length / 4);
    for (let i = 0, n = 0; n < luma.length; i += 4, n += 1)
      luma[n] = 16.5 + (65.481 * rgba[i] + 128.553 * rgba[i + 1] + 24.966 * rgba[i + 2]) / 255;
    return luma;
  };
  /** @param {CanvasImageSource} image @param {number} width @param {number} height */
  const drawn = (image, width, height) => {
    const brush = /** @type {any} */ (new OffscreenCanvas(width, height)).getContext('2d', {
      willReadFrequently: true,
    });
    brush.drawImage(image, 0, 0);
    return brightness(brush.getImageData(0, 0, width, height).data);
  };
  /** Brightness and both colour differences of each pixel, BT.601, 16 to 235. @param {Uint8ClampedArray} rgba */
  const planes = rgba => {
    const all = [0, 1, 2].map(() => new Float32Array(rgba.length / 4));
    for (let i = 0, n = 0; i < rgba.length; i += 4, n += 1) {
      const [r, g, b] = [rgba[i] / 255, rgba[i + 1] / 255, rgba[i + 2] / 255];
      all[0][n] = 16 + 65.481 * r + 128.553 * g + 24.966 * b;
      all[1][n] = 128 - 37.797 * r - 74.203 * g + 112 * b;
      all[2][n] = 128 + 112 * r - 93.786 * g - 18.214 * b;
    }
    return all;
  };
  /** What is shown, by its colours, beside what is wanted. @param {boolean} compared else its format alone */
  page.testColours = compared => {
    const { picture } = /** @type {any} */ (document.querySelector('heliostat-viewer'));
    // By a WebSocket it is a canvas, which has no format of a decoder any more.
    const frame = picture instanceof HTMLVideoElement ? new page.VideoFrame(picture) : null;
    try {
      const format = frame?.format ?? '';
      if (!compared) return { format };
      const { width, height, image } = page.testWanted;
      const [wanted, seen] = [image, frame ?? picture].map(source => {
        const brush = /** @type {any} */ (new OffscreenCanvas(width, height)).getContext('2d', {
          willReadFrequently: true,
        });
        brush.drawImage(source, 0, 0);
        return planes(brush.getImageData(0, 0, width, height).data);
      });
      const [luma, blue, red] = wanted.map((plane, n) => {
        let squares = 0;
        for (let i = 0; i < plane.length; i += 1) squares += (plane[i] - seen[n][i]) ** 2;
        return squares === 0 ? 99 : 10 * Math.log10((255 * 255 * plane.length) / squares);
      });
      return { format, luma, blue, red };
    } finally {
      frame?.close();
    }
  };
  page.testReference = async (/** @type {string} */ address) => {
    let answer = await fetch(address, { cache: 'no-store' });
    // Others take some of theirs: the host takes two at once.
    for (let tries = 0; answer.status === 503 && tries < 60; tries += 1) {
      await new Promise(later => setTimeout(later, 500));
      answer = await fetch(address, { cache: 'no-store' });
    }
    if (!answer.ok) throw new Error(`no screenshot: ${answer.status}`);
    const image = await createImageBitmap(await answer.blob());
    page.testWanted = {
      image,
      luma: drawn(image, image.width, image.height),
      width: image.width,
      height: image.height,
    };
  };
  /** The decoder's own brightness where the browser gives it; else by way of its colours. */
  page.testSeen = async () => {
    const { video } = /** @type {any} */ (document.querySelector('heliostat-viewer'));
    const { width, height } = page.testWanted;
    if (video.videoWidth !== width) throw new Error(`the picture is ${video.videoWidth} wide, not ${width}`);
    if (!page.VideoFrame) return drawn(video, width, height);
    const frame = new page.VideoFrame(video);
    try {
      if (!/^(I420|NV12)/.test(frame.format ?? '')) return drawn(frame, width, height);
      const bytes = new Uint8Array(frame.allocationSize());
      const [{ offset, stride }] = await frame.copyTo(bytes);
      if (offset === 0 && stride === width) return bytes.subarray(0, width * height);
      const luma = new Uint8Array(width * height);
      for (let y = 0; y < height; y += 1)
        luma.set(bytes.subarray(offset + y * stride, offset + y * stride + width), y * width);
      return luma;
    } finally {
      frame.close();
    }
  };
  page.testPsnr = (/** @type {Uint8Array} */ seen) => {
    const { luma } = page.testWanted;
    let squares = 0;
    for (let i = 0; i < luma.length; i += 1) squares += (luma[i] - seen[i]) ** 2;
    return squares === 0 ? 99 : 10 * Math.log10((255 * 255 * luma.length) / squares);
  };
  /** Wang et al., 2004, over blocks that do not overlap. @param {Uint8Array} seen */
  page.testSsim = seen => {
    const { luma, width, height } = page.testWanted;
    let sum = 0;
    let blocks = 0;
    for (let top = 0; top + 8 <= height; top += 8)
      for (let left = 0; left + 8 <= width; left += 8) {
        let [a, b, aa, bb, ab] = [0, 0, 0, 0, 0];
        for (let y = top; y < top + 8; y += 1)
          for (let i = y * width + left; i < y * width + left + 8; i += 1) {
            const [p, q] = [luma[i], seen[i]];
            a += p;
            b += q;
            aa += p * p;
            bb += q * q;
            ab += p * q;
          }
        const [ma, mb] = [a / 64, b / 64];
        const [va, vb, cov] = [aa / 64 - ma * ma, bb / 64 - mb * mb, ab / 64 - ma * mb];
        sum += ((2 * ma * mb + 6.5) * (2 * cov + 58.5)) / ((ma * ma + mb * mb + 6.5) * (va + vb + 58.5));
        blocks += 1;
      }
    return sum / blocks;
  };
}

/** Compares the picture of a stream page with the display's. */
export class Fidelity {
  /** @param {import('./viewer.js').Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
  }

  /** Takes what is on the display now as what is to be seen. */
  async take() {
    const { page, instanceId } = this.viewer;
    await page.evaluate(prepare);
    await page.evaluate(
      address => /** @type {any} */ (window).testReference(address),
      `/api/v1/instances/${instanceId}/screenshot`,
    );
  }

  /** The frame that is shown now. @returns {Promise<Likeness>} */
  look() {
    return this.viewer.page.evaluate(async () => {
      const page = /** @type {any} */ (window);
      const seen = await page.testSeen();
      return { psnr: page.testPsnr(seen), ssim: page.testSsim(seen), frames: 1 };
    });
  }

  /** The colours of the frame that is shown now. @param {boolean} [compared] @returns {Promise<Colourfulness>} */
  colours(compared = true) {
    return this.viewer.page.evaluate(both => /** @type {any} */ (window).testColours(both), compared);
  }

  /** The worst of all frames that are shown within a time. @param {number} ms @returns {Promise<Likeness>} */
  watch(ms) {
    return this.viewer.page.evaluate(async span => {
      const page = /** @type {any} */ (window);
      const { video } = /** @type {any} */ (document.querySelector('heliostat-viewer'));
      const worst = { psnr: 99, ssim: 1, frames: 0 };
      const end = performance.now() + span;
      const shown = () =>
        Promise.race([
          new Promise(done => video.requestVideoFrameCallback(() => done(true))),
          new Promise(done => setTimeout(() => done(false), Math.max(0, end - performance.now()))),
        ]);
      while (performance.now() < end) {
        if (!(await shown())) break;
        const seen = await page.testSeen();
        worst.frames += 1;
        const psnr = page.testPsnr(seen);
        if (psnr < worst.psnr) Object.assign(worst, { psnr, ssim: page.testSsim(seen) });
      }
      return worst;
    }, ms);
  }

  /** What the browser received: codec, key frames decoded and asked for, bytes. */
  received() {
    return this.viewer.page.evaluate(async () => {
      const { peerConnection } = /** @type {any} */ (document.querySelector('heliostat-viewer'));
      const report = await peerConnection.getStats();
      for (const entry of report.values()) {
        if (entry.type !== 'inbound-rtp' || entry.kind !== 'video') continue;
        const { pliCount = 0, firCount = 0, bytesReceived, framesDecoded, keyFramesDecoded = 0 } = entry;
        const { mimeType: codec = '', sdpFmtpLine: format = '' } = report.get(entry.codecId) ?? {};
        return { codec, format, asked: pliCount + firCount, bytesReceived, framesDecoded, keyFramesDecoded };
      }
      throw new Error('nothing is received');
    });
  }
}
