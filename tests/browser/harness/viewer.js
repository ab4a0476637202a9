// A stream page as a test sees it: the <heliostat-viewer> of the page, its picture, and hands on mouse and keyboard.

import assert from 'node:assert/strict';

import { Pattern } from './pattern.js';
import { Picture } from './picture.js';
import { until } from './wait.js';

/** Runs in the page before its own scripts: notes what page and viewer say in passing, which is gone again after seconds. */
export function noteToasts() {
  /** @type {string[]} */
  const said = [];
  Object.assign(window, { testToasts: said });
  /** @param {Document | ShadowRoot} root */
  const note = root =>
    new MutationObserver(() => {
      const shown = /** @type {HTMLElement | null} */ (root.querySelector('.toast, .hint'));
      const words = shown && !shown.hidden ? (shown.textContent ?? '') : '';
      if (words !== '' && said.at(-1) !== words) said.push(words);
    }).observe(root, { subtree: true, childList: true, characterData: true, attributes: true });
  note(document);
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) {
    const root = attach.call(this, options);
    note(root);
    return root;
  };
}

export class Viewer {
  /** @param {import('playwright-core').Page} page at `/stream/<instance_id>` */
  constructor(page) {
    this.page = page;
    this.picture = new Picture(page);
    this.pattern = new Pattern(this.picture);
  }

  get instanceId() {
    const id = /\/stream\/([0-9a-f-]{36})/.exec(this.page.url())?.[1];
    assert.ok(id, `a stream page, not ${this.page.url()}`);
    return id;
  }

  /** A property of the element. @param {'state' | 'peerId' | 'role' | 'steers' | 'way'} name @returns {Promise<string>} */
  property(name) {
    return this.page.evaluate(
      key => /** @type {any} */ (document.querySelector('heliostat-viewer'))?.[key] ?? '',
      name,
    );
  }

  /** Everything the page says, the viewer's shadow included. @returns {Promise<string>} */
  says() {
    return this.page.evaluate(() => {
      /** @param {Node} node @returns {string} */
      const text = node => {
        if (node instanceof HTMLElement) {
          if (!node.checkVisibility() || node instanceof HTMLStyleElement) return '';
        }
        const own = node instanceof Text ? node.data : '';
        const inner = /** @type {any} */ (node).shadowRoot ?? node;
        return own + [...inner.childNodes].map(text).join(' ');
      };
      return text(document.body).replace(/\s+/g, ' ');
    });
  }

  /** The page comes to say something: what is wrong only after a moment, if it was connected. @param {RegExp} words */
  tells(words) {
    return until(`the page says ${words}`, async () => {
      const said = await this.says();
      if (!words.test(said)) throw new Error(said.slice(0, 300));
      return said;
    });
  }

  /** The page has said something in passing. Needs `noteToasts`. @param {RegExp} words */
  async hasTold(words) {
    await until(`the page tells in passing ${words}`, async () => {
      /** @type {string[]} */
      const said = await this.page.evaluate(() => /** @type {any} */ (window).testToasts);
      if (!said.some(one => words.test(one))) throw new Error(said.join());
      return true;
    });
  }

  /** @param {string} wanted @param {number} [within] */
  async stateBecomes(wanted, within = 60_000) {
    await until(
      `the state becomes ${wanted}`,
      async () => {
        const state = await this.property('state');
        if (state !== wanted)
          throw new Error(`${state}; the page says: ${(await this.says()).slice(0, 300)}`);
        return true;
      },
      { within },
    );
  }

  /** Connected, with a picture. */
  async connected() {
    await this.stateBecomes('connected');
    await this.picture.appears();
  }

  /** Keeps the current connection in mind, for `sameConnection`. @returns {Promise<string>} its id at the server */
  async rememberConnection() {
    await this.page.evaluate(() => {
      const viewer = /** @type {any} */ (document.querySelector('heliostat-viewer'));
      /** @type {any} */ (window).testConnection = viewer.peerConnection;
    });
    const peer = await this.property('peerId');
    assert.match(peer, /^[0-9a-f-]{36}$/, 'a peer id');
    return peer;
  }

  /** Whether the connection is the one remembered: the same object, alive. */
  sameConnection() {
    return this.page.evaluate(() => {
      const viewer = /** @type {any} */ (document.querySelector('heliostat-viewer'));
      const { testConnection } = /** @type {any} */ (window);
      return (
        testConnection !== undefined &&
        testConnection === viewer.peerConnection &&
        testConnection.connectionState === 'connected'
      );
    });
  }

  /**
   * Where a pixel of the picture is on the page, told from the box of its element alone: the picture is as large as fits,
   * in the middle.
   *
   * @param {number} x of the picture
   * @param {number} y
   */
  async onPage(x, y) {
    const box = await this.page.evaluate(() => {
      const { picture } = /** @type {any} */ (document.querySelector('heliostat-viewer'));
      const { left, top, width, height } = picture.getBoundingClientRect();
      const [w, h] = [picture.videoWidth ?? picture.width, picture.videoHeight ?? picture.height];
      return { left, top, width, height, w, h };
    });
    const scale = Math.min(box.width / box.w, box.height / box.h);
    return {
      x: box.left + (box.width - box.w * scale) / 2 + (x + 0.5) * scale,
      y: box.top + (box.height - box.h * scale) / 2 + (y + 0.5) * scale,
      scale,
    };
  }

  /**
   * Clicks on a pixel of the picture.
   *
   * @param {number} x
   * @param {number} y
   * @param {{ button?: 'left' | 'middle' | 'right' }} [options]
   */
  async click(x, y, options = {}) {
    const at = await this.onPage(x, y);
    await this.page.mouse.click(at.x, at.y, options);
  }

  /**
   * Brings the bar of the stream page into view. It goes after a moment when nobody uses it, so in the same moment it gets
   * the focus, with which it stays.
   */
  async bar() {
    await until('the bar is there', () =>
      this.page.evaluate(() => {
        /** @param {string} name @returns {HTMLElement | null} */
        const part = name => document.querySelector(name);
        part('.handle')?.click();
        part('.toolbar .home')?.focus();
        return part('.toolbar .home') === document.activeElement;
      }),
    );
  }

  /** Whether it may steer, as the host told it. */
  async becomesRole(/** @type {string} */ role) {
    await until(`the viewer is ${role}`, async () => {
      const seen = await this.property('role');
      if (seen !== role) throw new Error(`it is ${seen}`);
      return true;
    });
  }
}
