// Which requests were refused, failed or slow just now? The newest on top; the list stands still while
// somebody points at it, has focus in it, or holds it, and says how many wait.
import { element, put } from "./chart.js";
import { clock } from "./figures.js";

const MOST = 100;
const LOOKS = { refused: "warn", failed: "bad", slow: "unknown", sampled: "ok" };

export class Decisions {
  #waiting = [];
  #leftOut = 0;
  #held = false;

  constructor({ list, told, none, button, explain }) {
    Object.assign(this, { list, told, none, explain });
    for (const name of ["pointerleave", "focusout"]) list.addEventListener(name, () => setTimeout(() => this.#flow()));
    button.addEventListener("click", () => {
      this.#held = !this.#held;
      button.textContent = this.#held ? "Resume" : "Hold";
      button.setAttribute("aria-pressed", String(this.#held));
      this.#flow();
    });
  }

  take({ decisions, left_out: leftOut }) {
    this.#waiting.push(...decisions);
    this.#leftOut += leftOut;
    if (this.#waiting.length > MOST) this.#waiting.splice(0, this.#waiting.length - MOST);
    this.#flow();
  }

  #flow() {
    const still = this.#held || this.list.matches(":hover") || this.list.contains(document.activeElement);
    const more = this.#leftOut ? ` · ${this.#leftOut} more counted` : "";
    if (still) {
      put(this.told, `${this.#waiting.length} new${more}`);
      return;
    }
    put(this.told, more.slice(3));
    if (!this.#waiting.length) return;
    this.none.hidden = true;
    this.list.prepend(...this.#waiting.reverse().map((one) => this.#item(one)));
    this.#waiting = [];
    while (this.list.children.length > MOST) this.list.lastChild.remove();
  }

  #item({ request_id: id, reason, at, tenant, tier, model, code }) {
    const word = element("span", [code ? code.replaceAll("_", " ") : reason], `state state--${LOOKS[reason] ?? "unknown"}`);
    const link = element("a", [id.slice(0, 12)], "mono");
    link.href = this.explain + encodeURIComponent(id);
    link.title = id;
    const about = element("span", [[tenant, tier, model].filter(Boolean).join(" · ")], "feed__who");
    return element("li", [element("span", [clock(at)], "feed__when"), word, about, link], "feed__item");
  }
}
