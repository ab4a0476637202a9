// The table of a faults soak: node recovery.js FILE, one {fault, took} a line; Markdown on standard output.

import { readFileSync } from 'node:fs';

/** @type {Map<string, number[]>} */
const faults = new Map();
for (const line of readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
  const { fault, took } = JSON.parse(line);
  faults.set(fault, [...(faults.get(fault) ?? []), took]);
}

/** Nearest rank. @param {number[]} sorted @param {number} share */
const quantile = (sorted, share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];

console.log('| fault | n | p50, ms | p95, ms | longest, ms |\n|---|---|---|---|---|');
for (const [fault, took] of faults) {
  took.sort((a, b) => a - b);
  const figures = [quantile(took, 0.5), quantile(took, 0.95), took.at(-1)];
  console.log(`| ${fault} | ${took.length} | ${figures.join(' | ')} |`);
}
