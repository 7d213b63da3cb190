// How is each replica, how much of the work is each tenant's, which promises are kept, now? Tables that stay fresh.
import { duration, known, percent, plain, scaled } from "./figures.js";
import { put } from "./chart.js";
import { emptyRow, meter, Rows, state } from "./rows.js";

const LATE = 3_000; // ms: the scheduler stops trusting a replica's figures then, too
const short = (url) => url.replace(/^https?:\/\//, "");

export function parted(key) {
  const at = key.indexOf(" ");
  return [key.slice(0, at), key.slice(at + 1)];
}

/** `ok`, `warn` (its figures are late), `bad` (unreachable) or `unknown`, with its word. */
function standing({ up, age }) {
  if (!known(up)) return ["unknown", "Unknown"];
  if (!up) return ["bad", "Unreachable"];
  return known(age) && age <= LATE ? ["ok", "Answers"] : ["warn", `Stale ${duration(age)}`];
}

export function replicas(body, told) {
  const rows = new Rows(body, {
    make: ({ key }) => emptyRow(short(parted(key)[1]), ["", "", "num", "num", "", "num", "num", "num", "num"]),
    draw(row, figures) {
      const cells = row.querySelectorAll("td");
      put(cells[0], parted(figures.key)[0]);
      state(cells[1], ...standing(figures));
      put(cells[2], plain(figures.running));
      put(cells[3], plain(figures.waiting));
      meter(cells[4], known(figures.kv) ? figures.kv : null, percent(figures.kv));
      put(cells[5], duration(figures.ttft_p95));
      put(cells[6], percent(figures.cache_hit));
      put(cells[7], scaled(figures.tokens));
      put(cells[8], duration(figures.age));
    },
  });
  return (all) => {
    rows.update([...all].sort((one, other) => (one.key < other.key ? -1 : 1)));
    put(told, `${all.filter(({ up }) => up).length} of ${all.length} answer`);
  };
}

/** What was promised stands there already; what came of it is put beside it. `body` may be null. */
export function promises(body) {
  return (all) => {
    const figures = new Map(all.map((row) => [row.key, row]));
    for (const row of body?.rows ?? []) {
      const { given, kept } = figures.get(row.dataset.promise) ?? {};
      meter(row.cells[2], known(kept) ? kept : null, percent(kept));
      put(row.cells[3], plain(given));
    }
  };
}

export function tenants(body, told) {
  const rows = new Rows(body, {
    make: ({ key }) => emptyRow(key, ["", "num", "num", "num"]),
    draw(row, { share, tokens, requests, refused }) {
      const cells = row.querySelectorAll("td");
      meter(cells[0], known(share) ? share : null, percent(share));
      put(cells[1], scaled(tokens));
      put(cells[2], plain(requests));
      put(cells[3], plain(refused));
    },
    waiting: (count) => put(told, count ? `${count} new` : ""),
  });
  return (all) => rows.update([...all].sort((one, other) => (other.share ?? -1) - (one.share ?? -1) || (one.key < other.key ? -1 : 1)));
}
