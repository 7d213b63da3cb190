// Which colours and dashes do charts draw with? Those of the page's theme, read anew when it changes.

/** Dashes tell series apart where colours cannot; by position, as the colours are. */
export const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [12, 5], [4, 4]];

const NAMES = ["text", "text-soft", "line", "line-strong", "surface", "sunken", "accent", "hatch"];
const SERIES = 6;
const HEAT = 5;

function read() {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(`--${name}`).trim();
  const colours = Object.fromEntries(NAMES.map((name) => [name, value(name)]));
  colours.series = Array.from({ length: SERIES }, (_, at) => value(`series-${at + 1}`));
  colours.heat = Array.from({ length: HEAT }, (_, at) => value(`heat-${at + 1}`));
  colours.font = `12px ${style.getPropertyValue("--font")}`;
  return colours;
}

let held = null;
const listeners = new Set();

/** The colours of now. */
export function colours() {
  held ??= read();
  return held;
}

/** Call `listener` after each change of theme. */
export function onTheme(listener) {
  listeners.add(listener);
}

new MutationObserver(() => {
  held = null;
  for (const listener of listeners) listener();
}).observe(document.documentElement, { attributeFilter: ["data-theme"] });

/** Diagonal lines: nobody knows. Never a colour that stands for a value. */
export function hatch(context, ratio = 1) {
  const size = Math.round(7 * ratio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colours().hatch;
  pen.lineWidth = ratio;
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
  }
  pen.stroke();
  const pattern = context.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}

/** The heat scale at `part` (0 to 1): one hue, its lightness monotone in the value. */
export function heat(part) {
  const stops = colours().heat;
  const at = Math.min(1, Math.max(0, part)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(at));
  const [one, other] = [stops[low], stops[low + 1]].map(channels);
  return `rgb(${one.map((value, i) => Math.round(value + (other[i] - value) * (at - low))).join(" ")})`;
}

function channels(hex) {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}
