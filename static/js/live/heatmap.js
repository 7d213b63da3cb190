// How has each replica done over the last minutes? A row a replica, a column a slot of time, painted on
// one canvas. For keyboards and screen readers each row has one cell in the document: the chosen column's.
import { element, put } from "./chart.js";
import { clock, UNKNOWN } from "./figures.js";
import { hatch, heat, colours, onTheme } from "./palette.js";

const ROW = 22; // css pixels
const GAP = 2;

export class HeatMap {
  #rows = []; // {key, label, pool}
  #chosen = { row: 0, column: 0 };
  #asked = false;

  /** `grid`: the element with role=grid; `timeline`: columns named `key metric`; `metric`: {name, title, write, top}. */
  constructor(grid, timeline, { columns, metric }) {
    this.grid = grid;
    this.timeline = timeline;
    this.columns = columns;
    this.metric = metric;
    this.canvas = grid.querySelector("canvas");
    this.body = grid.querySelector("[data-rows]");
    this.told = grid.parentElement.querySelector("[data-heat-told]");
    this.#chosen.column = columns - 1;
    grid.setAttribute("aria-colcount", String(columns + 1));
    this.body.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("focusin", () => this.ask());
    this.body.addEventListener("focusout", () => this.ask());
    this.body.addEventListener("pointermove", (event) => this.#hover(event));
    this.body.addEventListener("pointerleave", () => put(this.told, ""));
    this.body.addEventListener("click", (event) => this.#click(event));
    new ResizeObserver(() => this.ask()).observe(grid);
    onTheme(() => this.ask());
  }

  /** The replicas, in the order shown. */
  show(rows) {
    const same = rows.length === this.#rows.length && rows.every(({ key }, at) => key === this.#rows[at].key);
    if (!same) {
      this.#rows = rows;
      this.#chosen.row = Math.min(this.#chosen.row, Math.max(0, rows.length - 1));
      this.#build();
    }
    this.ask();
  }

  choose(metric) {
    this.metric = metric;
    this.ask();
  }

  ask() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#draw();
    });
  }

  get #end() {
    const { slot, last } = this.timeline;
    return last === null ? null : last + slot;
  }

  #time(column) {
    return this.#end === null ? null : this.#end - (this.columns - column) * this.timeline.slot;
  }

  #value(row, column) {
    const at = this.#time(column);
    if (at === null) return Number.NaN;
    const index = this.timeline.nearest(at);
    if (index < 0 || this.timeline.times[index] !== at) return Number.NaN;
    return this.timeline.column(`${this.#rows[row].key} ${this.metric.name}`)[index];
  }

  #label(row, column) {
    const at = this.#time(column);
    const value = this.#value(row, column);
    const shown = Number.isNaN(value) ? "no data" : this.metric.write(value);
    return `replica ${this.#rows[row].label}, ${at === null ? UNKNOWN : clock(at)}, ${this.metric.title} ${shown}`;
  }

  #build() {
    this.grid.setAttribute("aria-rowcount", String(this.#rows.length));
    this.body.replaceChildren(
      ...this.#rows.map(({ label, pool }, at) => {
        const head = element("div", [element("span", [label], "mono"), element("span", [pool], "heat__pool")], "heat__name");
        head.setAttribute("role", "rowheader");
        const cell = element("div", [], "heat__cell");
        cell.setAttribute("role", "gridcell");
        const strip = element("div", [head, cell], "heat__row");
        strip.setAttribute("role", "row");
        strip.setAttribute("aria-rowindex", String(at + 1));
        return strip;
      }),
    );
    this.canvas.style.height = `${this.#rows.length * ROW}px`;
  }

  #draw() {
    const width = this.canvas.clientWidth;
    const height = this.#rows.length * ROW;
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const unknown = hatch(pen, ratio);
    const step = width / this.columns;
    this.#rows.forEach((_, row) => {
      for (let column = 0; column < this.columns; column += 1) {
        const value = this.#value(row, column);
        pen.fillStyle = Number.isNaN(value) ? unknown : heat(value / this.metric.top);
        const left = Math.round(column * step);
        pen.fillRect(left, row * ROW, Math.max(1, Math.round((column + 1) * step) - left - 1), ROW - GAP);
      }
    });
    this.#mark(step);
  }

  /** Put each row's one cell over the chosen column, and say there what it says. */
  #mark(step) {
    const { row: chosen, column } = this.#chosen;
    [...this.body.children].forEach((strip, row) => {
      const cell = strip.lastChild;
      cell.style.left = `calc(var(--heat-name) + ${Math.round(column * step) - 1}px)`;
      cell.style.width = `${Math.max(3, Math.round(step) + 1)}px`;
      cell.setAttribute("aria-colindex", String(column + 2));
      const label = this.#label(row, column);
      if (cell.getAttribute("aria-label") !== label) cell.setAttribute("aria-label", label);
      cell.tabIndex = row === chosen ? 0 : -1;
    });
    const focused = this.body.contains(document.activeElement);
    if (focused) put(this.told, this.#label(chosen, column));
    this.canvas.style.setProperty("outline-color", colours().line);
  }

  #key(event) {
    const { row, column } = this.#chosen;
    const last = this.#rows.length - 1;
    const to = {
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      Home: event.ctrlKey ? [0, 0] : [row, 0],
      End: event.ctrlKey ? [last, this.columns - 1] : [row, this.columns - 1],
      PageUp: [0, column],
      PageDown: [last, column],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    this.#choose(to[0], to[1]);
  }

  #choose(row, column) {
    this.#chosen = {
      row: Math.min(this.#rows.length - 1, Math.max(0, row)),
      column: Math.min(this.columns - 1, Math.max(0, column)),
    };
    this.#mark(this.canvas.clientWidth / this.columns);
    this.body.children[this.#chosen.row].lastChild.focus();
  }

  #under(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.columns);
    const row = Math.floor((event.clientY - box.top) / ROW);
    const inside = column >= 0 && column < this.columns && row >= 0 && row < this.#rows.length;
    return inside ? [row, column] : null;
  }

  #hover(event) {
    const under = this.#under(event);
    if (!this.body.contains(document.activeElement)) put(this.told, under ? this.#label(...under) : "");
  }

  #click(event) {
    const under = this.#under(event);
    if (under) this.#choose(...under);
  }
}
