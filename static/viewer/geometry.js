/**
 * Where the picture lies inside its element, and where in the picture a point is. Pure.
 */

/** @typedef {{left: number, top: number, width: number, height: number}} Box */

/**
 * The part of `box` that a picture of the given size covers under `object-fit: contain`.
 * A picture without a size covers the whole box.
 * @param {Box} box CSS pixels
 * @param {number} width pixels of the picture
 * @param {number} height pixels of the picture
 * @returns {Box}
 */
export function containedBox(box, width, height) {
  if (!(width > 0 && height > 0 && box.width > 0 && box.height > 0)) return { ...box };
  const scale = Math.min(box.width / width, box.height / height);
  const w = width * scale;
  const h = height * scale;
  return { left: box.left + (box.width - w) / 2, top: box.top + (box.height - h) / 2, width: w, height: h };
}

/**
 * A point of the page as a position in the picture, 0…65535 on each axis. Points in the letterbox bars are
 * clamped to the picture's edge.
 * @param {number} clientX @param {number} clientY CSS pixels
 * @param {Box} picture from `containedBox`
 */
export function picturePoint(clientX, clientY, picture) {
  return {
    x: along(clientX - picture.left, picture.width),
    y: along(clientY - picture.top, picture.height),
  };
}

/**
 * Whether a point lies on the picture itself rather than on a letterbox bar.
 * @param {number} clientX @param {number} clientY @param {Box} picture
 */
export function onPicture(clientX, clientY, picture) {
  const x = clientX - picture.left;
  const y = clientY - picture.top;
  return x >= 0 && y >= 0 && x < picture.width && y < picture.height;
}

/** @param {number} offset @param {number} length */
function along(offset, length) {
  if (!(length > 0)) return 0;
  return Math.round(Math.min(1, Math.max(0, offset / length)) * 0xffff);
}
