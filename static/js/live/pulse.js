// How fresh is what stands here? Live, Delayed, Reconnecting, Paused or Offline, with the age of the data.
import { put } from "./chart.js";

const DELAYED = 5_000;
const QUIET = 10_000; // ms between two announcements
const GIVEN_UP = 30_000; // ms without a connection after which it is called offline

const LOOKS = {
  Live: "state--ok",
  Delayed: "state--warn",
  Reconnecting: "state--warn",
  Paused: "state--unknown",
  Offline: "state--bad",
  Loading: "state--unknown",
};

export class Pulse {
  #at = null;
  #offset = null; // server's clock minus ours, ms
  #lostAt = null;
  #refused = false;
  #announced = { state: null, when: 0 };

  /** `pill`: where it is seen; `voice`: the page's one polite live region. */
  constructor(pill, voice) {
    this.pill = pill;
    this.voice = voice;
    this.paused = false;
    setInterval(() => this.show(), 500);
  }

  /** The newest data is of `ms`, by the server's clock. */
  data(ms) {
    this.#at = Math.max(this.#at ?? 0, ms);
  }

  clock(ms) {
    // The smallest difference seen is the one that travelled fastest.
    const seen = ms - Date.now();
    this.#offset = this.#offset === null ? seen : Math.max(this.#offset, seen);
  }

  connection(state) {
    this.#refused = state === "refused";
    if (state === "open") this.#lostAt = null;
    else this.#lostAt ??= Date.now();
    this.show();
  }

  get age() {
    return this.#at === null ? null : Math.max(0, Date.now() + (this.#offset ?? 0) - this.#at);
  }

  get state() {
    const lost = this.#lostAt === null ? 0 : Date.now() - this.#lostAt;
    if (this.#refused || !navigator.onLine || lost > GIVEN_UP) return "Offline";
    if (this.paused) return "Paused";
    if (this.#lostAt !== null) return this.#at === null ? "Loading" : "Reconnecting";
    if (this.age === null) return "Loading";
    return this.age > DELAYED ? "Delayed" : "Live";
  }

  show() {
    const state = this.state;
    const age = this.age;
    put(this.pill, age === null ? state : `${state} · ${age < 10_000 ? (age / 1000).toFixed(1) : Math.round(age / 1000)} s`);
    const look = `pill state ${LOOKS[state]}`;
    if (this.pill.className !== look) this.pill.className = look;
    document.documentElement.dataset.live = state.toLowerCase();
    this.#say(state);
  }

  /** Only that the state changed, and not more often than once in ten seconds. */
  #say(state) {
    const { state: before, when } = this.#announced;
    if (state === before || Date.now() - when < QUIET) return;
    this.#announced = { state, when: Date.now() };
    if (before !== null || state !== "Live") put(this.voice, state === "Loading" ? "" : `Figures: ${state}`);
  }
}
