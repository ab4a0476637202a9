/**
 * Which form of the picture an attribute asks for. Pure.
 * @param {string | null} wish
 * @param {number} most how many there are
 * @returns {{rung: number | null, problem: string}} null: what fits the line
 */
export function rungOf(wish, most) {
  if (wish === null || wish === '') return { rung: null, problem: '' };
  const rung = /^\d$/.test(wish) ? Number(wish) : most;
  if (rung < most) return { rung, problem: '' };
  const there = most > 1 ? `0 to ${most - 1}` : '0 alone';
  const said = `There is no rendition "${wish.slice(0, 32)}", but ${there}: the picture comes as it fits.`;
  return { rung: null, problem: said };
}
