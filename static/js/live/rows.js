// A table whose rows have keys. Its values stay fresh always; its order and its rows stand still while
// somebody points at it or has focus in it, and what waits is counted.
import { element, put } from "./chart.js";

export class Rows {
  #rows = new Map();
  #wanted = [];
  #held = false;

  /**
   * `body`: the tbody. `draw(tr, row)` fills a row; `make()` gives an empty one. `waiting(n)`: how many
   * rows are new while the table stands still.
   */
  constructor(body, { make, draw, waiting = () => {} }) {
    this.body = body;
    this.make = make;
    this.draw = draw;
    this.waiting = waiting;
    const region = body.closest("table");
    const hold = (on) => () => {
      this.#held = on || region.matches(":hover") || region.contains(document.activeElement);
      if (!this.#held) this.#arrange();
    };
    for (const name of ["pointerenter", "focusin"]) region.addEventListener(name, hold(true));
    for (const name of ["pointerleave", "focusout"]) region.addEventListener(name, () => setTimeout(hold(false)));
  }

  /** `rows`: [{key, ...}] in the order wanted. */
  update(rows) {
    this.#wanted = rows;
    if (!this.#held) this.#arrange();
    else this.waiting(rows.filter(({ key }) => !this.#rows.has(key)).length);
    for (const row of rows) {
      const found = this.#rows.get(row.key);
      if (found) this.draw(found, row);
    }
  }

  #arrange() {
    const wanted = new Set(this.#wanted.map(({ key }) => key));
    for (const [key, row] of this.#rows) {
      if (wanted.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    let before = null;
    for (const row of this.#wanted) {
      let found = this.#rows.get(row.key);
      if (!found) {
        found = this.make(row);
        this.#rows.set(row.key, found);
        this.draw(found, row);
      }
      const place = before ? before.nextSibling : this.body.firstChild;
      if (found !== place) this.body.insertBefore(found, place);
      before = found;
    }
    this.waiting(0);
  }
}

/** An empty row: a heading cell and `classes.length` cells. */
export function emptyRow(title, classes) {
  const head = element("th", [title]);
  head.scope = "row";
  return element("tr", [head, ...classes.map((name) => element("td", [], name))]);
}

/** A small bar before a figure; `part` of 0 to 1, or null. */
export function meter(cell, part, text, className = "") {
  let figure = cell.querySelector("span");
  if (!figure) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "meter");
    svg.setAttribute("viewBox", "0 0 100 8");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    for (const width of [100, 0]) {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      for (const [name, value] of [["width", width], ["height", 8], ["rx", 4]]) rect.setAttribute(name, value);
      svg.append(rect);
    }
    figure = element("span");
    cell.replaceChildren(svg, figure);
  }
  const svg = cell.querySelector("svg");
  svg.setAttribute("class", `meter${part === null ? " meter--unknown" : ""} ${className}`.trim());
  svg.lastChild.setAttribute("width", part === null ? 0 : (100 * Math.min(1, part)).toFixed(1));
  put(figure, text);
}

/** A word with the shape of its state. */
export function state(cell, look, word) {
  let mark = cell.querySelector("span");
  if (!mark) {
    mark = element("span");
    cell.replaceChildren(mark);
  }
  if (mark.className !== `state state--${look}`) mark.className = `state state--${look}`;
  put(mark, word);
}
