// How long ical.js takes to parse a file: `peer.mjs EVENTS FILE`, run where ical.js is installed.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";

const [events, file] = process.argv.slice(2);
const text = readFileSync(file, "utf8");
let best = Infinity;
for (let round = 0; round < 7; round++) {
  const began = performance.now();
  const calendar = ICAL.parse(text);
  best = Math.min(best, performance.now() - began);
  const found = calendar[2].filter(([name]) => name === "vevent").length;
  if (found !== Number(events)) throw new Error(`${found} events`);
}
console.log(`ical.js parses\t${best.toFixed(2)}`);
