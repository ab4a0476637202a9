import { mediaUrl, toVnc } from './media-frames.js';
import { SocketPeer } from './socket-peer.js';
import { complete } from './stats.js';

const VNC_SUBPROTOCOL = 'heliostat.vnc.v1';

/** Where a host takes them. @param {string} socket its other socket's address @param {{instance: string, viewer: string}} wanted */
export const vncUrl = (socket, { instance, viewer }) => mediaUrl(socket, { instance, viewer }, '/ws/vnc');

/**
 * The picture from the instance's VNC server, drawn by noVNC, for browsers that have neither WebRTC nor WebCodecs. noVNC only
 * looks: input goes beside it, as by every other way.
 */
export class VncPeer extends SocketPeer {
  /** @type {'vnc'} */
  kind = 'vnc';
  canvas;
  #screen;
  #bytes = 0;
  #frames = 0;

  /** @param {string} url @param {import('./signalling.js').Env} env @param {typeof import('./vnc-screen.js').screen} draw */
  constructor(url, env, draw) {
    super(url, VNC_SUBPROTOCOL, env);
    this.#screen = draw({
      send: bytes => this.ready && this.say(toVnc(bytes, this.time)),
      frame: () => this.#frame(),
      ended: () => this.lost(),
    });
    this.canvas = this.#screen.canvas;
  }

  close() {
    if (this.closed) return;
    super.close();
    this.#screen.close();
  }

  /** @param {import('./media-frames.js').MediaMessage} message @param {number} bytes of it */
  came(message, bytes) {
    if (message.type !== 'rfb') return;
    this.#bytes += bytes;
    this.#screen.take(message.data);
  }

  /**
   * @param {import('./stats.js').Totals | null} before of the digest before
   * @param {number} at ms
   */
  digest(before, at) {
    if (this.#frames === 0) return null;
    const totals = {
      at,
      bytes: this.#bytes,
      frames: this.#frames,
      packets: 0,
      lost: 0,
      decodeTime: 0,
      bufferDelay: 0,
      buffered: 0,
    };
    const { width, height } = this.canvas;
    return complete(totals, before, {
      way: 'vnc',
      width,
      height,
      codec: 'RFB',
      rtt_ms: null,
      dropped: 0,
      freezes: 0,
      candidate: 'websocket/tcp',
    });
  }

  #frame() {
    this.#frames += 1;
    if (this.#frames === 1) this.emit('canvas', this.canvas);
  }
}
