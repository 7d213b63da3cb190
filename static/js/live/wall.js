// Which stretch of time do all charts show, and which instant is pointed at? One answer for the wall.
// While somebody points, or has a chart in focus, the stretch stands still; what arrives waits and is counted.
import { clock } from "./figures.js";
import { onTheme } from "./palette.js";

const SUMMARY_EVERY = 10_000;
const SHORTEST = 5_000; // ms a dragged stretch must have

export class Wall {
  #charts = [];
  #asked = false;
  #heldAt = null; // right edge while something holds it
  #holders = new Set();
  #newest = null;
  #waiting = 0;
  #summarised = 0;
  #drag = null;

  /** `span` ms are shown. `held(ms or null, points)`: told whenever the wall stands still or goes on. */
  constructor({ span, held }) {
    this.span = span;
    this.cursor = null;
    this.zoom = null; // [from, to] chosen by dragging
    this.events = [];
    this.told = held;
    onTheme(() => this.ask());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && (this.cursor !== null || this.zoom)) this.reset();
    });
  }

  add(chart) {
    chart.asked = () => this.ask();
    this.#charts.push(chart);
    const { plot } = chart;
    plot.addEventListener("pointermove", (event) => this.#point(chart, event));
    plot.addEventListener("pointerdown", (event) => this.#begin(chart, event));
    plot.addEventListener("pointerup", (event) => this.#end(chart, event));
    plot.addEventListener("pointerleave", () => {
      this.#drag = null;
      this.#letGo("pointer");
    });
    plot.addEventListener("dblclick", () => this.reset());
    plot.addEventListener("keydown", (event) => this.#key(chart, event));
    plot.addEventListener("focus", () => plot.matches(":focus-visible") && this.#hold(`focus ${chart.name}`));
    plot.addEventListener("blur", () => this.#letGo(`focus ${chart.name}`));
    return chart;
  }

  /** Data up to `ms` is there. */
  advance(ms) {
    if (this.#newest !== null && ms <= this.#newest) return;
    this.#newest = ms;
    if (this.#heldAt !== null) {
      this.#waiting += 1;
      this.told(this.#heldAt, this.#waiting);
    }
    this.ask();
  }

  get view() {
    const to = this.#heldAt ?? this.#newest ?? Date.now();
    const [from, end] = this.zoom ?? [to - this.span, to];
    return { from, to: end, cursor: this.cursor, events: this.events };
  }

  /** Hold the wall where it is, as Pause does, until `resume`. */
  pause() {
    this.#hold("pause");
  }

  resume() {
    this.#letGo("pause");
  }

  /** Another stretch: `span` ms up to now, or [from, to]. */
  show({ span = this.span, zoom = null }) {
    this.span = span;
    this.zoom = zoom;
    this.changed?.();
    this.ask();
  }

  reset() {
    this.zoom = null;
    this.changed?.();
    this.cursor = null;
    for (const name of [...this.#holders]) if (name !== "pause") this.#letGo(name);
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

  #draw() {
    const view = this.view;
    for (const chart of this.#charts) if (chart.visible) chart.draw(view);
    if (Date.now() - this.#summarised > SUMMARY_EVERY) {
      this.#summarised = Date.now();
      for (const chart of this.#charts) chart.summarise(view);
    }
  }

  #hold(name) {
    this.#holders.add(name);
    if (this.#heldAt !== null) return;
    this.#heldAt = this.#newest ?? Date.now();
    this.#waiting = 0;
    this.told(this.#heldAt, 0);
  }

  #letGo(name) {
    this.#holders.delete(name);
    if (name !== "pause") this.cursor = null;
    if (!this.#holders.size && this.#heldAt !== null) {
      this.#heldAt = null;
      this.told(null, 0);
    }
    this.ask();
  }

  #point(chart, event) {
    this.#hold("pointer");
    this.cursor = chart.instant(event.offsetX, this.view);
    this.ask();
  }

  #begin(chart, event) {
    if (event.button === 0) this.#drag = chart.instant(event.offsetX, this.view);
  }

  #end(chart, event) {
    if (this.#drag === null) return;
    const stretch = [this.#drag, chart.instant(event.offsetX, this.view)].sort((one, other) => one - other);
    this.#drag = null;
    if (stretch[1] - stretch[0] < SHORTEST) return;
    this.show({ zoom: stretch });
  }

  #key(chart, event) {
    const view = this.view;
    const at = this.cursor ?? Math.min(view.to, chart.timeline.last ?? view.to);
    const step = (event.shiftKey ? 10 : 1) * chart.timeline.slot;
    const moved = { ArrowLeft: at - step, ArrowRight: at + step, Home: view.from, End: view.to }[event.key];
    if (moved === undefined) return;
    event.preventDefault();
    this.#hold(`focus ${chart.name}`);
    this.cursor = Math.min(view.to, Math.max(view.from, moved));
    this.ask();
  }
}

/** `Held at 14:03:10 · 3 new`, or nothing. */
export function heldWords(at, waiting) {
  if (at === null) return "";
  return `Held at ${clock(at)}${waiting ? ` · ${waiting} new` : ""}`;
}
