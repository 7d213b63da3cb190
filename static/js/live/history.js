// What was each tier served over the last hours or days? Plotly draws it, fetched once the page stands.
import * as address from "./address.js";
import { put } from "./chart.js";
import { KINDS } from "./figures.js";
import { colours, DASHES, onTheme } from "./palette.js";

const root = document.querySelector("[data-history]");
const told = document.querySelector("[data-told]");
const AXES = {
  ttft_p95: { title: "ms", rangemode: "tozero" },
  itl_p95: { title: "ms", rangemode: "tozero" },
  tokens: { title: "tokens per second", rangemode: "tozero" },
  refused: { title: "requests per second", rangemode: "tozero" },
  cache_hit: { title: "", tickformat: ".0%", range: [0, 1] },
  requests: { title: "requests per second", rangemode: "tozero" },
};
const PLOTLY_DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
let series = null;

/** The script is a megabyte or three: it is fetched by this page alone, and after it has painted. */
const plotly = new Promise((resolve, reject) => {
  const fetched = document.createElement("script");
  fetched.src = root.dataset.plotly;
  fetched.onload = () => resolve(globalThis.Plotly);
  fetched.onerror = () => reject(new Error("the plots could not be fetched"));
  requestIdleCallback(() => document.head.append(fetched));
});

async function read(span) {
  const until = Date.now();
  const all = { times: [], values: {}, metrics: [], since: until - span * 1000, until };
  let cursor = null;
  do {
    const asked = new URLSearchParams({ environment: root.dataset.environment, table: "fleet.tiers", since: all.since, until });
    asked.set("step", stepFor(span));
    if (cursor !== null) asked.set("cursor", cursor);
    const answer = await fetch(`${root.dataset.series}?${asked}`);
    if (!answer.ok) throw new Error(`the console answered ${answer.status}`);
    const page = await answer.json();
    Object.assign(all, { step: page.step, metrics: page.metrics });
    for (const [key, cells] of Object.entries(page.values)) {
      all.values[key] ??= all.times.map(() => null);
      all.values[key].push(...cells);
    }
    all.times.push(...page.times);
    for (const cells of Object.values(all.values)) while (cells.length < all.times.length) cells.push(null);
    cursor = page.next;
  } while (cursor !== null);
  return all;
}

function stepFor(span) {
  return [60, 300, 900, 3600, 21_600].find((step) => span / step <= 600);
}

async function draw() {
  const Plotly = await plotly;
  const theme = colours();
  const layout = {
    margin: { l: 64, r: 16, t: 8, b: 40 },
    paper_bgcolor: theme.surface,
    plot_bgcolor: theme.surface,
    font: { color: theme["text-soft"], size: 12 },
    legend: { orientation: "h", y: -0.18 },
    hovermode: "x unified",
    hoverlabel: { bgcolor: theme.surface, font: { color: theme.text } },
  };
  for (const plot of root.querySelectorAll("[data-plot]")) {
    const { plot: metric } = plot.dataset;
    const column = series.metrics.indexOf(metric);
    const traces = Object.keys(series.values).sort().map((tier, at) => ({
      name: tier,
      x: series.times.map((ms) => new Date(ms)),
      y: series.values[tier].map((cells) => cells?.[column] ?? null),
      mode: series.times.length < 60 ? "lines+markers" : "lines", // a single point still shows
      line: { color: theme.series[at % theme.series.length], dash: PLOTLY_DASHES[at % DASHES.length], width: 2 },
    }));
    const axis = { gridcolor: theme.line, zerolinecolor: theme.line };
    const drawn = { ...layout, xaxis: { ...axis, type: "date", range: [new Date(series.since), new Date(series.until)] }, yaxis: { ...axis, ...AXES[metric], title: { text: AXES[metric].title } } };
    await Plotly.react(plot, traces, drawn, { responsive: true, displayModeBar: false });
    await new Promise((resolve) => setTimeout(resolve)); // a plot at a time: the page stays awake
  }
}

async function show(span) {
  address.write({ span: span === 3600 ? null : span });
  for (const button of document.querySelectorAll("[data-span]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.span) === span));
  }
  put(told, "Loading");
  try {
    series = await read(span);
    const points = series.times.length;
    put(told, points ? `${points} ${points === 1 ? "point" : "points"}, one each ${KINDS.duration.write(series.step * 1000)}` : "Nothing is stored of this stretch yet");
    await draw();
  } catch (error) {
    put(told, `Not drawn: ${error.message}`);
  }
}

for (const button of document.querySelectorAll("[data-span]")) {
  button.addEventListener("click", () => show(Number(button.dataset.span)));
}
onTheme(() => series && draw());
show(address.read().span ?? 3600);
