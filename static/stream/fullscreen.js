/**
 * Enters or leaves full screen; inside it, the browser's own shortcuts go to the program where the browser allows it.
 * @param {HTMLElement} node
 * @param {import('../viewer/element.js').HeliostatViewer} viewer
 */
export async function fullScreen(node, viewer) {
  if (document.fullscreenElement) {
    await document.exitFullscreen();
    return;
  }
  try {
    await node.requestFullscreen({ navigationUI: 'hide' });
  } catch {
    return;
  }
  viewer.focus();
  const keyboard = /** @type {{lock?: () => Promise<void>, unlock?: () => void} | undefined} */ (
    /** @type {any} */ (navigator).keyboard
  );
  if (!keyboard?.lock) return;
  const left = () => {
    if (document.fullscreenElement) return;
    document.removeEventListener('fullscreenchange', left);
    viewer.keyboardLocked = false;
    keyboard.unlock?.();
  };
  document.addEventListener('fullscreenchange', left);
  try {
    await keyboard.lock();
    viewer.keyboardLocked = true;
  } catch {
    // Not allowed here: the browser keeps its shortcuts.
  }
}
