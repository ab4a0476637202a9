// Runs inside the page, the same for every row: what the user would see, read from the picture itself.

/**
 * Puts `window.bench` into a page. Times are the page's own (`performance.now()`); coordinates are those of the
 * 1280×720 picture, whatever its size on the page.
 */
export function sampler() {
  const small = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const strip = new OffscreenCanvas(1280, 1).getContext('2d', { willReadFrequently: true });

  /** The largest video or canvas that is shown, also within open shadow roots. */
  function picture() {
    let best = null;
    let area = 320 * 240;
    const roots = [document];
    for (const root of roots) {
      for (const element of root.querySelectorAll('*')) {
        if (element.shadowRoot) roots.push(element.shadowRoot);
        if (element.localName !== 'video' && element.localName !== 'canvas') continue;
        // One that nothing plays in lies below what shows the picture instead.
        if (element.localName === 'video' && !element.srcObject && !element.currentSrc) continue;
        const { width, height } = element.getBoundingClientRect();
        if (width * height > area && getComputedStyle(element).visibility === 'visible') {
          best = element;
          area = width * height;
        }
      }
    }
    return best;
  }
  let known = null;
  /** As `picture`, but looked for again only when the one known is gone or hidden; a viewer of ours knows its own. */
  function current() {
    const own = document.querySelector('heliostat-viewer')?.picture;
    if (own) return own;
    if (!known?.isConnected || known.getClientRects().length === 0) known = picture();
    return known;
  }

  /** Draws the part of the picture that begins at (x, y) into a context of that part's size. */
  function part(context, x, y) {
    const element = current();
    const width = element?.videoWidth ?? element?.width;
    const height = element?.videoHeight ?? element?.height;
    if (!width || !height) return null;
    const { width: w, height: h } = context.canvas;
    context.clearRect(0, 0, w, h);
    const [sx, sy] = [width / 1280, height / 720];
    context.drawImage(element, x * sx, y * sy, w * sx, h * sy, 0, 0, w, h);
    return context.getImageData(0, 0, w, h).data;
  }

  /** Which of its two colours the flip area shows: 0, 1, or null when there is no picture. */
  function colour() {
    const rgb = part(small, 150, 200);
    if (rgb && rgb[0] < 90 && rgb[1] < 90 && rgb[2] > 90) return 0;
    if (rgb && rgb[0] > 150 && rgb[1] > 130 && rgb[2] < 110) return 1;
    return null;
  }

  /** Where the moving bar begins, in pixels, or null when there is none. */
  function bar() {
    const row = part(strip, 0, 705);
    if (!row) return null;
    for (let x = 0; x < 1280; x += 1) if (row[4 * x] > 127) return x;
    return null;
  }

  /** Both ends of the moving bar, as far as it is on the picture; null when it is not. */
  function ends() {
    const row = part(strip, 0, 705);
    if (!row) return null;
    let [from, to] = [-1, -1];
    for (let x = 0; x < 1280; x += 1) {
      if (row[4 * x] <= 127) continue;
      if (from < 0) from = x;
      to = x;
    }
    return from < 0 ? null : [from, to];
  }

  /** Calls `look` once a frame of the page until it is true; resolves to when that frame began. */
  function eachFrame(look, limit) {
    return new Promise(resolve => {
      const end = performance.now() + limit;
      const frame = () => {
        // Taken before looking: what reading a pixel costs is no part of the picture's way.
        const now = performance.now();
        if (look()) resolve(now);
        else if (now > end) resolve(null);
        else requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
  }

  const peers = [];
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...args) {
      super(...args);
      peers.push(this);
    }
  };

  let whole = null;
  let click = null;
  window.bench = {
    /** What the browser counted of the video that it received (W3C webrtc-stats, RTCInboundRtpStreamStats); null without one. */
    async received() {
      const open = peers.filter(peer => peer.connectionState === 'connected');
      const reports = await Promise.all(open.map(peer => peer.getStats()));
      const streams = reports.flatMap(report => [...report.values()]);
      return streams.find(one => one.type === 'inbound-rtp' && one.kind === 'video') ?? null;
    },
    /** The brightness of the whole picture (BT.601, of its colours), in base64; null without one. */
    brightness() {
      whole ??= new OffscreenCanvas(1280, 720).getContext('2d', { willReadFrequently: true });
      const rgb = part(whole, 0, 0);
      if (!rgb) return null;
      let text = '';
      for (let i = 0; i < rgb.length; i += 4)
        text += String.fromCharCode(Math.round(0.299 * rgb[i] + 0.587 * rgb[i + 1] + 0.114 * rgb[i + 2]));
      return btoa(text);
    },
    colour,
    kind: () => current()?.localName ?? null,
    rect: () => current()?.getBoundingClientRect().toJSON() ?? null,
    /** Waits for the next press; `taken` then resolves to the milliseconds until the picture showed it, or null. */
    arm() {
      const before = colour();
      click = new Promise(resolve => {
        const pressed = () => {
          const at = performance.now();
          eachFrame(() => colour() === 1 - before, 2000).then(seen =>
            resolve(seen === null ? null : seen - at),
          );
        };
        window.addEventListener('pointerdown', pressed, { capture: true, once: true });
      });
      return before !== null;
    },
    taken: () => click,
    /** Changes of the bar's place seen in so many milliseconds, in a second. */
    async rate(ms) {
      let [changes, last] = [0, null];
      const began = performance.now();
      await eachFrame(() => {
        const place = bar();
        if (place !== last) changes += 1;
        last = place;
        return performance.now() - began >= ms;
      }, ms * 2);
      return (changes * 1000) / (performance.now() - began);
    },
    /**
     * Notes from now on, by the wall clock, when the bar is seen to move (a coarse picture may be a pixel off: that is no
     * movement) and when each press is seen.
     */
    record() {
      const notes = { frames: [], presses: [] };
      window.bench.notes = notes;
      let last = null;
      let pending = null;
      const clock = at => performance.timeOrigin + at;
      const pressed = () => {
        const before = colour();
        if (pending || before === null) return;
        pending = { at: clock(performance.now()), seen: null, before };
        notes.presses.push(pending);
      };
      window.addEventListener('pointerdown', pressed, { capture: true });
      const frame = () => {
        const now = clock(performance.now());
        const place = ends();
        if (place && (!last || Math.abs(place[0] - last[0]) > 1 || Math.abs(place[1] - last[1]) > 1)) {
          notes.frames.push(now);
          last = place;
        }
        if (pending) {
          if (colour() === 1 - pending.before) pending.seen = now;
          if (pending.seen || now - pending.at > 5000) pending = null;
        }
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
      window.bench.waits = () => pending !== null;
    },
    /** Resolves to the time at which the flip area was seen first, from the navigation. */
    first: null,
  };
  window.bench.first = eachFrame(() => document.body && colour() !== null, 30_000);
}
