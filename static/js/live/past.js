// What happened before the socket was there, and in the seconds it missed? REST tells, in small pages so
// that no page of it keeps the browser from painting.
const POINTS = 120;

export class Past {
  #busy = new Set();

  /** `put(table, ms, rows)` takes each point: rows of `{key, metric: value}`. */
  constructor(address, environment, put) {
    this.address = address;
    this.environment = environment;
    this.put = put;
  }

  /** The seconds of `table` in [since, until) ms. Asked for twice at the same time, it is fetched once. */
  async fill(table, since, until) {
    const what = `${table} ${since} ${until}`;
    if (this.#busy.has(what) || since >= until) return;
    this.#busy.add(what);
    try {
      let cursor = null;
      do {
        const told = await this.#page(table, since, until, cursor);
        if (!told) return;
        this.#take(table, told);
        cursor = told.next;
      } while (cursor !== null);
    } finally {
      this.#busy.delete(what);
    }
  }

  async #page(table, since, until, cursor) {
    const asked = new URLSearchParams({ environment: this.environment, table, since, until, step: 1, limit: POINTS });
    if (cursor !== null) asked.set("cursor", cursor);
    try {
      const answer = await fetch(`${this.address}?${asked}`, { headers: { accept: "application/json" } });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null; // the socket's own return asks again
    }
  }

  #take(table, told) {
    const keys = Object.keys(told.values);
    told.times.forEach((ms, at) => {
      const rows = [];
      for (const key of keys) {
        const cells = told.values[key][at];
        if (!cells) continue;
        const row = { key };
        told.metrics.forEach((metric, column) => (row[metric] = cells[column]));
        rows.push(row);
      }
      this.put(table, ms, rows);
    });
  }
}
