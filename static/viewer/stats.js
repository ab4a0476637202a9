/**
 * What is known of a connection in figures: of WebRTC from `RTCPeerConnection.getStats()` (W3C, Identifiers for WebRTC's
 * Statistics API), of a WebSocket from what the page itself counts. Pure.
 */

/**
 * Running totals, to make rates of.
 * @typedef {object} Totals
 * @property {number} at ms
 * @property {number} bytes
 * @property {number} frames decoded
 * @property {number} packets received
 * @property {number} lost
 * @property {number} decodeTime seconds
 * @property {number} bufferDelay seconds
 * @property {number} buffered frames that left the jitter buffer
 */

/**
 * @typedef {object} Digest
 * @property {import('./ways.js').Way} way
 * @property {number} fps decoded frames per second
 * @property {number} kbps
 * @property {number} width @property {number} height pixels
 * @property {string} codec e.g. `H264`
 * @property {number | null} rtt_ms of ICE, the last measured
 * @property {import('./samples.js').Figures | null} click from a press to the first picture with a change after it, of the last minute
 * @property {import('./samples.js').Figures | null} glass from the grab of a picture to its display, of the last minute
 * @property {number} loss_percent since the last digest
 * @property {number | null} jitter_buffer_ms mean since the last digest
 * @property {number | null} decode_ms mean since the last digest
 * @property {number} frames decoded @property {number} dropped @property {number} freezes since the beginning
 * @property {string} candidate type of the chosen pair, e.g. `host/udp`; `websocket/tcp`
 */

/** What is said as it is. @typedef {Pick<Digest, 'way'|'width'|'height'|'codec'|'rtt_ms'|'dropped'|'freezes'|'candidate'>} Facts */
/** @typedef {{digest: Digest, totals: Totals}} Reading */

/** @typedef {Record<string, any>} Stat */

/**
 * @param {Iterable<Stat>} report values of the report
 * @param {Totals | null} before of the digest before
 * @param {number} at ms
 * @returns {Reading | null} null without a video stream
 */
export function digest(report, before, at) {
  const stats = [...report];
  const video = stats.find(s => s.type === 'inbound-rtp' && s.kind === 'video');
  if (!video) return null;
  const transport = stats.find(s => s.type === 'transport');
  const pair =
    stats.find(s => s.type === 'candidate-pair' && s.id === transport?.selectedCandidatePairId) ??
    stats.find(s => s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded');
  const remote = stats.find(s => s.id === pair?.remoteCandidateId);
  const codec = stats.find(s => s.id === video.codecId);
  /** @type {Totals} */
  const totals = {
    at,
    bytes: video.bytesReceived ?? 0,
    frames: video.framesDecoded ?? 0,
    packets: video.packetsReceived ?? 0,
    lost: video.packetsLost ?? 0,
    decodeTime: video.totalDecodeTime ?? 0,
    bufferDelay: video.jitterBufferDelay ?? 0,
    buffered: video.jitterBufferEmittedCount ?? 0,
  };
  return complete(totals, before, {
    way: 'webrtc',
    width: video.frameWidth ?? 0,
    height: video.frameHeight ?? 0,
    codec: String(codec?.mimeType ?? '').replace(/^video\//i, ''),
    rtt_ms: pair?.currentRoundTripTime === undefined ? null : tenth(pair.currentRoundTripTime * 1000),
    dropped: video.framesDropped ?? 0,
    freezes: video.freezeCount ?? 0,
    candidate: remote ? `${remote.candidateType}/${remote.protocol}` : '',
  });
}

/**
 * @param {Totals} totals @param {Totals | null} before of the digest before
 * @param {Facts} facts
 * @returns {Reading}
 */
export function complete(totals, before, facts) {
  const { at } = totals;
  // Totals that went back belong to another connection.
  const from = before && before.frames <= totals.frames && before.at < at ? before : null;
  const seconds = from ? (at - from.at) / 1000 : 0;
  const packets = from ? totals.packets - from.packets : 0;
  const lost = from ? Math.max(0, totals.lost - from.lost) : 0;
  return {
    totals,
    digest: {
      ...facts,
      fps: from ? tenth((totals.frames - from.frames) / seconds) : 0,
      kbps: from ? Math.round(((totals.bytes - from.bytes) * 8) / 1000 / seconds) : 0,
      click: null,
      glass: null,
      loss_percent: packets + lost > 0 ? tenth((100 * lost) / (packets + lost)) : 0,
      jitter_buffer_ms: from
        ? mean(totals.bufferDelay - from.bufferDelay, totals.buffered - from.buffered)
        : null,
      decode_ms: from ? mean(totals.decodeTime - from.decodeTime, totals.frames - from.frames) : null,
      frames: totals.frames,
    },
  };
}

/** @param {number} value */
const tenth = value => Math.round(value * 10) / 10;
/** @param {number} seconds @param {number} count */
const mean = (seconds, count) => (count > 0 ? tenth((seconds * 1000) / count) : null);

/** What there is to say without a connection. @type {[string, string][]} */
export const NOTHING = [['Connection', 'none']];

/**
 * The digest as rows for a panel: label, value.
 * @param {Digest} d @param {number | null} latency ms over the data channel
 * @returns {[string, string][]}
 */
export function rows(d, latency) {
  /** @param {number | null} v @param {string} unit */
  const or = (v, unit) => (v === null ? '–' : `${v} ${unit}`);
  /** @param {import('./samples.js').Figures | null} f median, and what 95 % of the last minute's are below */
  const both = f => (f ? `${f.p50_ms} ms · 95 %: ${f.p95_ms} ms` : '–');
  return [
    ['Way', { webrtc: 'WebRTC', websocket: 'WebSocket', vnc: 'VNC' }[d.way]],
    ['Picture', d.width ? `${d.width}×${d.height}` : '–'],
    ['Codec', d.codec || '–'],
    ['Frame rate', `${d.fps} fps`],
    ['Bitrate', d.kbps >= 1000 ? `${tenth(d.kbps / 1000)} Mbit/s` : `${d.kbps} kbit/s`],
    ['Click to photon', both(d.click)],
    ['Glass to glass', both(d.glass)],
    ['Round trip (data)', or(latency, 'ms')],
    ['Round trip (ICE)', or(d.rtt_ms, 'ms')],
    ['Loss', `${d.loss_percent} %`],
    ['Jitter buffer', or(d.jitter_buffer_ms, 'ms')],
    ['Decoding', or(d.decode_ms, 'ms')],
    ['Dropped · freezes', `${d.dropped} · ${d.freezes}`],
    ['Path', d.candidate || '–'],
  ];
}
