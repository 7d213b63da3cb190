// One chart of the wall: its canvas, its legend with the values of an instant, its table, its words.
// It decides nothing about time: the wall says which stretch and which instant are shown.
import { clock, KINDS } from "./figures.js";
import { DASHES } from "./palette.js";
import { paint, plotArea } from "./painter.js";

const TABLE_ROWS = 12;
const SVG = "http://www.w3.org/2000/svg";

export class Chart {
  /**
   * `figure`: the element, see templates/console/_chart.html. `spec`: {kind, scale, stacked, least, top,
   * columns}; `timeline`: where its points are. Series are set as they become known.
   */
  constructor(figure, spec, timeline) {
    this.figure = figure;
    this.spec = spec;
    this.timeline = timeline;
    this.series = []; // {name, label, part, at, thin}
    this.visible = true;
    this.plot = figure.querySelector("[data-plot]");
    this.canvas = figure.querySelector("canvas");
    this.legend = figure.querySelector("[data-legend]");
    this.words = figure.querySelector("[data-summary]");
    this.table = figure.querySelector("[data-table]");
    const toggle = figure.querySelector("[data-table-toggle]");
    toggle.addEventListener("click", () => {
      this.table.hidden = !this.table.hidden;
      this.plot.hidden = !this.table.hidden;
      toggle.setAttribute("aria-pressed", String(!this.table.hidden));
      this.asked?.();
    });
    new ResizeObserver(() => this.#resize()).observe(this.plot);
    new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      if (this.visible) this.asked?.();
    }).observe(figure);
  }

  get name() {
    return this.figure.querySelector("h2").textContent;
  }

  /** Names and order of what is drawn; the legend is made anew only when they change. */
  show(series) {
    if (JSON.stringify(series) === JSON.stringify(this.series)) return;
    this.series = series;
    this.#drawLegend();
  }

  /** The instant under the pointer at `offset` css pixels from the left of the plot. */
  instant(offset, view) {
    const area = plotArea(this.width, this.height);
    const part = (offset - area.left) / (area.right - area.left);
    return view.from + Math.min(1, Math.max(0, part)) * (view.to - view.from);
  }

  draw(view) {
    const shown = view.cursor ?? this.timeline.last;
    this.#values(shown);
    if (!this.table.hidden) this.#drawTable(view);
    else if (this.width) paint(this.canvas, this.spec, this.series, this.timeline, { ...view, width: this.width, height: this.height });
    this.plot.setAttribute("aria-valuemin", String(Math.round(view.from / 1000)));
    this.plot.setAttribute("aria-valuemax", String(Math.round(view.to / 1000)));
    this.plot.setAttribute("aria-valuenow", String(Math.round((shown ?? view.to) / 1000)));
    this.plot.setAttribute("aria-valuetext", this.#spoken(shown));
  }

  /** What the chart says, in a sentence. Not in a live region: it is read when somebody comes by. */
  summarise(view) {
    const write = KINDS[this.spec.kind].write;
    const [first, last] = this.timeline.between(view.from, view.to);
    const told = this.series.map(({ name, label, part }) => {
      const seen = this.timeline.column(name).slice(first, last).filter((value) => !Number.isNaN(value));
      const title = part ? `${label} ${part}` : label;
      if (!seen.length) return `${title}: unknown`;
      return `${title}: now ${write(seen.at(-1))}, between ${write(Math.min(...seen))} and ${write(Math.max(...seen))}`;
    });
    const span = `${clock(view.from)} to ${clock(view.to)} UTC`;
    this.words.textContent = `${this.name}, ${span}. ${told.join(". ") || "Nothing known yet"}.`;
  }

  #spoken(at) {
    const index = at === null ? -1 : this.timeline.nearest(at);
    if (index < 0) return "nothing known";
    const write = KINDS[this.spec.kind].write;
    const told = this.series.map(({ name, label, part }) => {
      return `${label}${part ? ` ${part}` : ""} ${write(this.timeline.column(name)[index])}`;
    });
    return `${clock(this.timeline.times[index])}: ${told.join(", ")}`;
  }

  #resize() {
    const { width, height } = this.plot.getBoundingClientRect();
    if (!width) return;
    const ratio = devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.asked?.();
  }

  #drawLegend() {
    const parts = [...new Set(this.series.map(({ part }) => part))];
    const labels = [...new Set(this.series.map(({ label }) => label))];
    const ordered = this.spec.stacked ? labels.reverse() : labels; // the top layer first
    const head = element("tr", [element("th", [srOnly("Series")]), ...parts.map((part) => element("th", [part || srOnly("Value")], "num"))]);
    const rows = ordered.map((label) => {
      const { at } = this.series.find((one) => one.label === label);
      const cells = parts.map((part) => {
        const found = this.series.find((one) => one.label === label && one.part === part);
        const cell = element("td", [], "num");
        if (found) cell.dataset.value = found.name;
        return cell;
      });
      const title = element("th", [swatch(at), label]);
      title.scope = "row";
      return element("tr", [title, ...cells]);
    });
    for (const cell of head.children) cell.scope = "col";
    this.legend.replaceChildren(element("thead", [head]), element("tbody", rows));
  }

  #values(at) {
    const index = at === null ? -1 : this.timeline.nearest(at);
    const write = KINDS[this.spec.kind].write;
    for (const cell of this.legend.querySelectorAll("[data-value]")) {
      put(cell, write(index < 0 ? null : this.timeline.column(cell.dataset.value)[index]));
    }
  }

  #drawTable(view) {
    const write = KINDS[this.spec.kind].write;
    const step = Math.max(this.timeline.slot, Math.round((view.to - view.from) / TABLE_ROWS / 1000) * 1000);
    const titles = this.series.map(({ label, part }) => element("th", [part ? `${label} ${part}` : label], "num"));
    const rows = [];
    for (let at = Math.floor(view.to / step) * step; at >= view.from; at -= step) {
      const index = this.timeline.nearest(at);
      const cells = this.series.map(({ name }) => {
        return element("td", [write(index < 0 ? null : this.timeline.column(name)[index])], "num");
      });
      rows.push(element("tr", [element("th", [clock(at)]), ...cells]));
    }
    const table = element("table", [element("thead", [element("tr", [element("th", ["Time, UTC"]), ...titles])]), element("tbody", rows)], "table");
    this.table.replaceChildren(table);
  }
}

/** Set a text only if it differs: an unchanged node costs no layout. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function element(tag, children = [], className = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function srOnly(text) {
  return element("span", [text], "sr-only");
}

function swatch(at) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `swatch series-${(at % 6) + 1}`);
  svg.setAttribute("viewBox", "0 0 26 8");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", "M1 4H25");
  const dashes = DASHES[at % DASHES.length];
  if (dashes.length) line.setAttribute("stroke-dasharray", dashes.join(" "));
  svg.append(line);
  return svg;
}
