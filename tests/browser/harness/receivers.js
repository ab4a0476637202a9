// Receivers that behave as a test wants: scripts that run in a page before its own.

/**
 * Runs in the page: offers one codec alone, of one profile where that is given.
 *
 * @param {string | string[]} wanted
 */
export function onlyCodec(wanted) {
  const [codec, profile = ''] = [wanted].flat();
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (...args) {
    const transceiver = add.apply(this, args);
    const codecs = RTCRtpReceiver.getCapabilities('video')?.codecs ?? [];
    transceiver.setCodecPreferences(
      codecs.filter(
        ({ mimeType, sdpFmtpLine = '' }) => mimeType === `video/${codec}` && sdpFmtpLine.includes(profile),
      ),
    );
    return transceiver;
  };
}

/**
 * Runs in the page: its receiver asks for a key frame ten times a second (WebRTC Encoded Transform,
 * `sendKeyFrameRequest`). Needs a context with `bypassCSP`: its worker is none of the page's.
 */
export function insatiable() {
  const work = `onrtctransform = ({ transformer }) => {
    transformer.readable.pipeTo(transformer.writable);
    setInterval(() => transformer.sendKeyFrameRequest().catch(() => {}), 100);
  }`;
  const worker = new Worker(URL.createObjectURL(new Blob([work], { type: 'text/javascript' })));
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (...args) {
    const transceiver = add.apply(this, args);
    const receiver = /** @type {any} */ (transceiver.receiver);
    receiver.transform = new /** @type {any} */ (window).RTCRtpScriptTransform(worker);
    return transceiver;
  };
}
