import { FORMATS } from './media-frames.js';

/** @typedef {import('./media-frames.js').Codec} Codec */

/** Which of the host's formats this browser decodes. @param {typeof VideoDecoder | undefined} Decoder @returns {Promise<Codec[]>} */
export async function decodable(Decoder) {
  if (!Decoder) return [];
  /** @type {[Codec, string][]} */
  const formats = [
    ['h264', 'avc1.42e01f'],
    ['h264-444', 'avc1.f4001f'],
    ['vp8', FORMATS.vp8],
    ['vp9', FORMATS.vp9],
    ['av1', FORMATS.av1],
  ];
  const able = await Promise.all(
    formats.map(async ([name, codec]) => {
      const answer = Decoder.isConfigSupported({ codec, optimizeForLatency: true }).catch(() => null);
      return (await answer)?.supported ? name : null;
    }),
  );
  return able.filter(name => name !== null);
}
