// Where does a value stand on a chart, and which values get a line?

const STEPS = [1, 2, 5, 10];

/** Round values from 0 to at least `most`, four or so of them. */
function roundTicks(most) {
  const rough = most / 4;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * STEPS.find((one) => one * size >= rough);
  const ticks = [];
  for (let at = 0; ticks.length === 0 || ticks.at(-1) < most; at += 1) ticks.push(at * step);
  return ticks;
}

/** From zero. `least`: the smallest top the scale has, so that noise near zero stays small. */
export function linear(values, { least = 1, top = null } = {}) {
  const most = top ?? Math.max(least, ...values);
  const ticks = top === null ? roundTicks(most) : [0, 0.25, 0.5, 0.75, 1].map((part) => part * top);
  const end = ticks.at(-1);
  return { ticks, place: (value) => Math.min(1, Math.max(0, value / end)) };
}

/** By decades, for what spans several; whole decades at both ends so that it stands still. */
export function logarithmic(values, { least = 1, most = 1000 } = {}) {
  const positive = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(most, ...positive, least * 10)));
  const high = Math.ceil(Math.log10(Math.max(most, ...positive)));
  const ticks = [];
  for (let power = low; power <= high; power += 1) ticks.push(10 ** power);
  const width = high - low;
  return { ticks, place: (value) => Math.min(1, Math.max(0, (Math.log10(Math.max(value, 1e-9)) - low) / width)) };
}

const SPACINGS = [15, 30, 60, 120, 300, 600].map((seconds) => seconds * 1000);

/** Instants on the round, about `count` of them between `from` and `to`. */
export function instants(from, to, count = 6) {
  const spacing = SPACINGS.find((one) => (to - from) / one <= count) ?? SPACINGS.at(-1);
  const found = [];
  for (let at = Math.ceil(from / spacing) * spacing; at <= to; at += spacing) found.push(at);
  return { spacing, found };
}
