// What does the server hold for one subscription? Rows by key, columns by metric, kept by its frames.
// A frame that does not follow the one before it is refused: the caller asks for a snapshot then.

export class Mirror {
  constructor() {
    this.epoch = null;
    this.seq = null;
    this.at = null; // time of the data, ms since 1970 by the server's clock
    this.metrics = [];
    this.units = [];
    this.keys = [];
    this.cells = []; // one array a key, one number or null a metric
    this.ages = [];
  }

  /** Whether `frame` took effect; false when it does not follow. */
  apply(frame) {
    if (frame.t === "snap") return this.#snapshot(frame);
    if (this.epoch === null || (frame.e !== undefined && frame.e !== this.epoch)) return false;
    if (frame.p !== undefined && frame.p !== this.seq) return false;
    if (frame.t === "rows") this.#membership(frame);
    if (frame.t === "d") this.#delta(frame.c);
    this.seq = frame.q;
    if (frame.ts !== undefined) this.at = frame.ts;
    if (frame.age) this.ages = frame.age;
    return true;
  }

  #snapshot(frame) {
    this.epoch = frame.e;
    this.seq = frame.q;
    this.at = frame.ts;
    this.metrics = frame.m;
    this.units = frame.u ?? [];
    this.keys = [...frame.k];
    this.cells = frame.v.map((row) => [...row]);
    this.ages = frame.age ?? [];
    return true;
  }

  #delta(changes) {
    const width = this.metrics.length;
    for (let at = 0; at + 1 < changes.length; at += 2) {
      const row = this.cells[Math.floor(changes[at] / width)];
      if (row) row[changes[at] % width] = changes[at + 1];
    }
  }

  #membership(frame) {
    const gone = new Set(frame.del ?? []);
    if (gone.size) {
      const kept = this.keys.map((key, at) => at).filter((at) => !gone.has(this.keys[at]));
      this.cells = kept.map((at) => this.cells[at]);
      this.ages = kept.map((at) => this.ages[at]);
      this.keys = kept.map((at) => this.keys[at]);
    }
    for (const [key, cells] of frame.add ?? []) {
      this.keys.push(key);
      this.cells.push([...cells]);
    }
  }

  /** One object a key: `{key, metric: value, ...}`; what is unknown is null. */
  rows() {
    return this.keys.map((key, at) => {
      const row = { key };
      this.metrics.forEach((metric, column) => {
        row[metric] = this.cells[at][column] ?? null;
      });
      return row;
    });
  }
}
