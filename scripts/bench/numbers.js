/** The value below which q % of the values lie, between neighbours in proportion. @param {number[]} values */
export function percentile(values, q) {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const place = ((sorted.length - 1) * q) / 100;
  const [low, high] = [Math.floor(place), Math.ceil(place)];
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}

/** @param {number[]} values */
export const median = values => percentile(values, 50);
