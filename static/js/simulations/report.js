// The plots of a report, in the colours of the page's theme. Plotly is fetched once the page has painted;
// every figure also stands in a table, so a page without it lacks nothing but the picture.
import { colours, onTheme } from "../live/palette.js";

const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const root = document.querySelector("[data-report]");
const plots = JSON.parse(document.querySelector("#plots").textContent);

const plotly = new Promise((resolve, reject) => {
  const fetched = document.createElement("script");
  fetched.src = root.dataset.plotly;
  fetched.onload = () => resolve(globalThis.Plotly);
  fetched.onerror = () => reject(new Error("the plots could not be fetched"));
  requestIdleCallback(() => document.head.append(fetched));
});

/** Times come in seconds: in what are they drawn? A share or a count is drawn as it is. */
function unit(plot) {
  if (plot.y !== "seconds") return { name: plot.y, scale: 1 };
  const most = Math.max(0, ...plot.series.flatMap((one) => one.y.filter((value) => value !== null)));
  return most < 1 ? { name: "milliseconds", scale: 1000 } : { name: "seconds", scale: 1 };
}

/** Round numbers of each power of ten around what is between; the fewer the longer that is. */
function ticks(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const steps = most < 30 * least ? [1, 2, 3, 5, 7] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(Math.log10(least)) - 1; power <= Math.log10(most) + 1; power++)
    for (const step of steps) found.push(Number(`${step}e${power}`));
  return found.filter((tick) => tick >= least / 2.5 && tick <= most * 2.5);
}

/** The other policy's series have the colour of this one's of the same name, and another look. */
function trace(plot, series, at, theme) {
  const half = plot.series.filter((one) => one.other).length;
  const colour = theme.series[(series.other && plot.kind === "line" ? at - half : at) % theme.series.length];
  const { scale } = unit(plot);
  const common = { name: series.name, x: series.x, y: series.y.map((value) => (value === null ? null : value * scale)) };
  if (plot.kind === "bar") return { ...common, type: "bar", marker: { color: colour, pattern: { shape: series.other ? "/" : "" } } };
  return {
    ...common,
    mode: series.x.length < 60 ? "lines+markers" : "lines",
    line: { color: colour, width: 2, dash: series.other ? "dot" : DASHES[0] },
    marker: { symbol: series.other ? "diamond-open" : "circle" },
  };
}

function layout(plot, theme) {
  const { name, scale } = unit(plot);
  const drawn = plot.series.flatMap((one) => one.y.filter((value) => value > 0)).map((value) => value * scale);
  const axis = { gridcolor: theme.line, zerolinecolor: theme.line, automargin: true };
  return {
    margin: { l: 64, r: 16, t: 8, b: 40 },
    paper_bgcolor: theme.surface,
    plot_bgcolor: theme.surface,
    font: { color: theme["text-soft"], size: 12 },
    legend: { orientation: "h", y: -0.2 },
    barmode: "group",
    hovermode: "x unified",
    hoverlabel: { bgcolor: theme.surface, font: { color: theme.text } },
    xaxis: { ...axis, title: { text: plot.x } },
    yaxis: {
      ...axis,
      title: { text: name },
      hoverformat: plot.share ? ".1%" : ",.4~r",
      ...(plot.log && drawn.length ? { type: "log", tickvals: ticks(drawn), ticktext: ticks(drawn).map((tick) => tick.toLocaleString("en")) } : { rangemode: "tozero" }),
      ...(plot.share ? { tickformat: ".0%" } : {}),
    },
  };
}

async function draw() {
  const Plotly = await plotly;
  const theme = colours();
  for (const plot of plots) {
    const place = root.querySelector(`[data-plot="${plot.key}"]`);
    const traces = plot.series.map((series, at) => trace(plot, series, at, theme));
    await Plotly.react(place, traces, layout(plot, theme), { responsive: true, displayModeBar: false });
    await new Promise((resolve) => setTimeout(resolve)); // a plot at a time: the page stays awake
  }
}

onTheme(draw);
draw().catch((error) => root.prepend(Object.assign(document.createElement("p"), { className: "soft", textContent: error.message })));
