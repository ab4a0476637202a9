/**
 * The browser as the viewer's parts see it; tests hand in another.
 * @returns {import('../viewer/signalling.js').Env}
 */
export function browserEnv() {
  return {
    WebSocket,
    RTCPeerConnection: window.RTCPeerConnection,
    VideoDecoder: window.VideoDecoder,
    EncodedVideoChunk: window.EncodedVideoChunk,
    canvas: () => document.createElement('canvas'),
    nextFrame: run => window.requestAnimationFrame(run),
    secure: window.isSecureContext,
    setTimeout: (run, ms) => window.setTimeout(run, ms),
    clearTimeout: id => window.clearTimeout(id),
    now: () => performance.now(),
    random: Math.random,
    visible: () => document.visibilityState !== 'hidden',
    online: () => navigator.onLine,
  };
}
