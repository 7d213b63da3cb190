// The live page: one socket, one clock for all charts, tables beside them. What is shown is in the address.
import * as address from "./address.js";
import { Chart, put } from "./chart.js";
import { Decisions } from "./decisions.js";
import { duration, percent, plain } from "./figures.js";
import { HeatMap } from "./heatmap.js";
import { parted, promises, replicas, tenants } from "./machines.js";
import { Past } from "./past.js";
import { Pulse } from "./pulse.js";
import { LiveSocket } from "./socket.js";
import { Timeline } from "./timeline.js";
import { heldWords, Wall } from "./wall.js";

const QUARTER = 15 * 60_000;
const HEAT_SLOT = 10_000;
const GAP = 2_500; // ms between two points of a channel beyond which REST is asked for what was between
const TABLES = ["fleet.tiers", "fleet.pools", "fleet.queues", "fleet.replicas"];
const METRICS = {
  kv: { name: "kv", title: "KV used", write: percent, top: 1 },
  waiting: { name: "waiting", title: "waiting", write: plain, top: 8 },
  ttft_p95: { name: "ttft_p95", title: "TTFT p95", write: duration, top: 2_000 },
  cache_hit: { name: "cache_hit", title: "cache hit", write: percent, top: 1 },
};
const CHARTS = {
  ttft: { kind: "duration", scale: "log", least: 10, most: 1_000, of: "tiers", parts: { ttft_p50: "p50", ttft_p95: "p95" } },
  itl: { kind: "duration", scale: "linear", least: 20, of: "tiers", parts: { itl_p50: "p50", itl_p95: "p95" } },
  tokens: { kind: "rate", scale: "linear", stacked: true, least: 10, of: "tiers", parts: { tokens: "" } },
  queue: { kind: "count", scale: "linear", stacked: true, least: 4, of: "bands", parts: { depth: "" } },
  cache: { kind: "ratio", scale: "linear", top: 1, of: "tiers", parts: { cache_hit: "" } },
  kv: { kind: "ratio", scale: "linear", top: 1, of: "pools", parts: { kv: "" } },
};

const root = document.querySelector("[data-live-page]");
const find = (name) => document.querySelector(`[data-${name}]`);
const { environment, series: seriesAddress, explain } = root.dataset;
const shown = address.read();

const seconds = new Timeline({ slot: 1_000, span: QUARTER + 60_000 });
const slots = new Timeline({ slot: HEAT_SLOT, span: QUARTER + 60_000 });
const names = { tiers: JSON.parse(root.dataset.tiers), bands: JSON.parse(root.dataset.bands), pools: [] };
const newest = new Map(); // table -> ms of its newest point

// -- charts -----------------------------------------------------------------------------------------
const wall = new Wall({ span: (shown.span ?? 300) * 1000, held: (at, waiting) => put(find("held"), heldWords(at, waiting)) });
wall.zoom = shown.zoom;
wall.events = JSON.parse(root.dataset.marks);
wall.changed = () => {
  address.write({ span: wall.span / 1000 === 300 ? null : wall.span / 1000, from: wall.zoom ? Math.round(wall.zoom[0]) : null, to: wall.zoom ? Math.round(wall.zoom[1]) : null });
  for (const button of document.querySelectorAll("[data-span]")) {
    button.setAttribute("aria-pressed", String(!wall.zoom && Number(button.dataset.span) * 1000 === wall.span));
  }
};
const charts = Object.entries(CHARTS).map(([name, spec]) => {
  const chart = new Chart(document.querySelector(`[data-chart="${name}"]`), spec, seconds);
  return wall.add(chart);
});

function showSeries() {
  for (const chart of charts) {
    const { of, parts } = chart.spec;
    const each = Object.entries(parts);
    chart.show(
      names[of].flatMap((label, at) => each.map(([metric, part]) => ({ name: `${of} ${label} ${metric}`, label, part, at, thin: part === "p50" }))),
    );
  }
}

function know(kind, labels) {
  const fresh = labels.filter((label) => !names[kind].includes(label)).sort();
  if (!fresh.length) return;
  names[kind].push(...fresh);
  showSeries();
}

// -- points, from the socket and from REST ------------------------------------------------------------
const WANTED = { tiers: ["ttft_p50", "ttft_p95", "itl_p50", "itl_p95", "tokens", "cache_hit"], pools: ["kv"] };

function point(table, ms, rows) {
  if (table === "fleet.tiers") pointOf("tiers", ms, rows);
  else if (table === "fleet.pools") pointOf("pools", ms, rows);
  else if (table === "fleet.queues") pointOfBands(ms, rows);
  else if (table === "fleet.replicas") pointOfReplicas(ms, rows);
}

function pointOf(kind, ms, rows) {
  const values = {};
  for (const row of rows) for (const metric of WANTED[kind]) values[`${kind} ${row.key} ${metric}`] = row[metric];
  know(kind, rows.map(({ key }) => key));
  seconds.put(ms, values);
}

/** Over pools. A band that nobody tells of has nobody waiting, as long as somebody tells of the second. */
function pointOfBands(ms, rows) {
  const bands = new Map();
  for (const { key, depth } of rows) {
    const [, number] = parted(key);
    const before = bands.get(`band ${number}`);
    bands.set(`band ${number}`, depth === null ? (before ?? null) : (before ?? 0) + depth);
  }
  know("bands", [...bands.keys()]);
  const values = {};
  for (const band of names.bands) values[`bands ${band} depth`] = bands.has(band) ? bands.get(band) : 0;
  seconds.put(ms, values);
}

function pointOfReplicas(ms, rows) {
  const values = {};
  for (const row of rows) for (const metric of Object.keys(METRICS)) values[`${row.key} ${metric}`] = row[metric];
  slots.put(ms - 1, values); // of the second before `ms`
}

// -- replicas, tenants, decisions -----------------------------------------------------------------------
const heat = new HeatMap(find("heat"), slots, { columns: QUARTER / HEAT_SLOT, metric: METRICS[shown.metric] ?? METRICS.kv });
const showReplicas = replicas(find("replicas"), find("replicas-told"));
const showTenants = tenants(find("tenants"), find("tenants-told"));
const showPromises = promises(find("promises"));
const decisions = new Decisions({
  list: find("decisions"),
  told: find("decisions-told"),
  none: find("decisions-none"),
  button: find("decisions-pause"),
  explain,
});

function showTable(table, rows) {
  if (pulse.paused) return;
  if (table === "fleet.replicas") {
    heat.show(rows.map(({ key }) => ({ key, label: parted(key)[1].replace(/^https?:\/\//, ""), pool: parted(key)[0] })).sort((one, other) => (one.key < other.key ? -1 : 1)));
    showReplicas(rows);
  } else if (table === "fleet.tenants") showTenants(rows);
  else if (table === "fleet.objectives") showPromises(rows);
}

// -- the socket -----------------------------------------------------------------------------------------
const past = new Past(seriesAddress, environment, (table, ms, rows) => {
  point(table, ms, rows);
  wall.ask();
  heat.ask();
});
const pulse = new Pulse(find("pill"), find("voice"));
const socket = new LiveSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live`, {
  state: (name) => pulse.connection(name),
  clock: (ms) => pulse.clock(ms),
  back: () => {},
  frame(table, mirror, frame) {
    const ms = mirror.at;
    if (!ms) return;
    const before = newest.get(table);
    if (before !== undefined && ms - before > GAP && TABLES.includes(table)) past.fill(table, before, ms);
    newest.set(table, ms);
    pulse.data(ms);
    const rows = mirror.rows();
    point(table, ms, rows);
    showTable(table, rows);
    wall.advance(ms);
    frames[frame.t] = (frames[frame.t] ?? 0) + 1;
  },
  event(channel, { k: kind, ts: at, facts }) {
    if (channel === "decisions" && facts) decisions.take(facts);
    else if (kind === "series.filled") for (const table of TABLES) past.fill(table, facts.from, facts.to);
    else if (channel === "releases" && facts && !wall.events.some(({ label }) => label === facts.label)) {
      wall.events.push({ at, label: facts.label });
    }
  },
});
const frames = {};

async function begin() {
  const args = { environment };
  for (const table of [...TABLES, "fleet.tenants", ...(find("promises") ? ["fleet.objectives"] : [])]) socket.subscribe(table, { args });
  for (const channel of ["decisions", "releases", "health"]) socket.subscribe(channel, { args });
  socket.open();
  const now = Date.now();
  for (const table of TABLES) await past.fill(table, now - QUARTER, now);
}

// -- what is pressed --------------------------------------------------------------------------------------
const pause = find("pause");
function setPaused(paused) {
  pulse.paused = paused;
  pause.textContent = paused ? "Resume" : "Pause";
  pause.setAttribute("aria-pressed", String(paused));
  if (paused) wall.pause();
  else wall.resume();
  pulse.show();
}
pause.addEventListener("click", () => setPaused(!pulse.paused));
for (const button of document.querySelectorAll("[data-span]")) {
  button.addEventListener("click", () => wall.show({ span: Number(button.dataset.span) * 1000 }));
}
function showMetric(name) {
  for (const button of document.querySelectorAll("[data-metric]")) {
    button.setAttribute("aria-pressed", String(button.dataset.metric === name));
  }
}
for (const button of document.querySelectorAll("[data-metric]")) {
  button.addEventListener("click", () => {
    const { metric } = button.dataset;
    heat.choose(METRICS[metric]);
    showMetric(metric);
    address.write({ metric: metric === "kv" ? null : metric });
  });
}

showSeries();
showMetric(METRICS[shown.metric] ? shown.metric : "kv");
wall.changed();
root.live = { socket, seconds, slots, wall, frames, pulse }; // what a test looks at
begin();
