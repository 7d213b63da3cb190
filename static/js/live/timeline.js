// What was each series worth at each instant? Points by time, one a slot, so that what the socket
// brought and what REST fills in afterwards never stand beside each other twice.

export class Timeline {
  /** `slot`: ms one point stands for. `span`: ms that are kept. */
  constructor({ slot = 1000, span = 16 * 60_000 } = {}) {
    this.slot = slot;
    this.span = span;
    this.times = [];
    this.columns = new Map(); // name -> values, aligned with `times`; NaN is unknown
  }

  get last() {
    return this.times.at(-1) ?? null;
  }

  /** Take `values` (name -> number or null) at `ms`. A later word about the same slot replaces it. */
  put(ms, values) {
    const at = Math.floor(ms / this.slot) * this.slot;
    const place = this.#place(at);
    if (this.times[place] !== at) this.#open(place, at);
    for (const [name, value] of Object.entries(values)) {
      this.column(name)[place] = value ?? Number.NaN;
    }
    this.#forget();
  }

  /** The values of `name`; unknown throughout if it was never heard of. */
  column(name) {
    let found = this.columns.get(name);
    if (!found) {
      found = new Array(this.times.length).fill(Number.NaN);
      this.columns.set(name, found);
    }
    return found;
  }

  /** Index of the point nearest to `ms`, or -1 when none is within three slots. */
  nearest(ms) {
    const place = this.#place(ms);
    const candidates = [place - 1, place].filter((at) => at >= 0 && at < this.times.length);
    const far = (at) => Math.abs(this.times[at] - ms);
    const best = candidates.sort((one, other) => far(one) - far(other))[0];
    return best !== undefined && far(best) <= 3 * this.slot ? best : -1;
  }

  /** Indexes [first, last) of the points within [from, to]. */
  between(from, to) {
    return [this.#place(from), this.#place(to + 1)];
  }

  /** Stretches [from, to] within the bounds of which no series of `names` knows anything. */
  holes(names, from, to) {
    const [first, last] = this.between(from, to);
    const columns = names.map((name) => this.column(name));
    const reach = 2.5 * this.slot;
    const found = [];
    let since = from;
    for (let at = first; at < last; at += 1) {
      if (!columns.some((column) => !Number.isNaN(column[at]))) continue;
      if (this.times[at] - since > reach) found.push([since, this.times[at]]);
      since = this.times[at];
    }
    if (to - since > reach) found.push([since, to]);
    return found;
  }

  #place(ms) {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #open(place, at) {
    this.times.splice(place, 0, at);
    for (const column of this.columns.values()) column.splice(place, 0, Number.NaN);
  }

  #forget() {
    const old = this.#place(this.last - this.span);
    if (old < 60) return; // in one piece now and then, not a point a second
    this.times.splice(0, old);
    for (const column of this.columns.values()) column.splice(0, old);
  }
}
