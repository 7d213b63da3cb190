// How is a figure written? With its unit, three figures at most, and a dash when it is unknown.
export const UNKNOWN = "–";

/** Whether `value` is a number somebody measured. */
export const known = (value) => typeof value === "number" && Number.isFinite(value);

/** At most three significant figures, without an exponent: 0.042, 7.3, 128, 12,400. */
export function plain(value) {
  if (!known(value)) return UNKNOWN;
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 100 || Number.isInteger(value)) return String(Math.round(value));
  if (size >= 10) return value.toFixed(1).replace(/\.0$/, "");
  return String(Number(value.toPrecision(2)));
}

/** 2,400,000 as 2.4M. */
export function scaled(value) {
  if (!known(value)) return UNKNOWN;
  for (const [size, sign] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (Math.abs(value) >= size) {
      const shown = value / (sign === "k" ? 1e3 : size);
      return `${Number(shown.toPrecision(3))}${sign}`;
    }
  }
  return plain(value);
}

/** Milliseconds: `840 ms`, from a second on `1.2 s`. */
export function duration(ms) {
  if (!known(ms)) return UNKNOWN;
  if (ms > 0 && ms < 1) return `${Number(ms.toPrecision(2))} ms`;
  return ms < 1000 ? `${plain(ms)} ms` : `${plain(ms / 1000)} s`;
}

/** A ratio of 0 to 1 as a percentage; what is not zero never reads as zero. */
export function percent(ratio) {
  if (!known(ratio)) return UNKNOWN;
  const value = ratio * 100;
  if (value !== 0 && Math.abs(value) < 0.1) return "<0.1 %";
  return `${Number.isInteger(value) ? value : value.toFixed(1).replace(/\.0$/, "")} %`;
}

const two = (number) => String(number).padStart(2, "0");

/** `14:03:10` in UTC, as everywhere in the console. */
export function clock(ms, { seconds = true } = {}) {
  const at = new Date(ms);
  const minutes = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  return seconds ? `${minutes}:${two(at.getUTCSeconds())}` : minutes;
}

/** How each kind of axis writes its values, and what its unit is called. */
export const KINDS = {
  duration: { write: duration, unit: "ms" },
  rate: { write: scaled, unit: "per second" },
  count: { write: plain, unit: "requests" },
  ratio: { write: percent, unit: "%" },
};
