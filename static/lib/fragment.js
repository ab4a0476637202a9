/**
 * What a page's address hands over behind `#`, where no log sees it.
 * @param {{hash: string}} place @param {'token'|'link'} name
 * @returns {string | null}
 */
export const inFragment = (place, name) =>
  new URLSearchParams(place.hash.replace(/^#/, '')).get(name) || null;

/** Takes it out of the address bar, and out of what the browser remembers of this visit. */
export const clearFragment = () => history.replaceState(null, '', location.pathname + location.search);
