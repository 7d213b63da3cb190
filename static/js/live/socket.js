// One connection for every subscription of this tab. It answers for order: each frame follows the one
// before it or the subscription starts anew; after a break it asks for what came since.
import { Mirror } from "./mirror.js";

const PROTOCOL = "headway.live.v1";
const FIRST_WAIT = 500; // ms
const LONGEST_WAIT = 30_000;
const SILENCE = 6_000; // ms without a word after which a visible tab gives its socket up
const SILENCE_HIDDEN = 20_000;
const HIDDEN_HZ = 0.2;
const REFUSED = new Set([4401, 4403]); // the session ended, or may not: trying again changes nothing

export class LiveSocket {
  #socket = null;
  #subscriptions = new Map(); // id -> {channel, args, hz, mirror, heard}
  #acked = new Map();
  #attempt = 0;
  #retry = null;
  #heardAt = 0;
  #nextId = 1;
  #on;

  /**
   * `on.state(name)`: connecting, open, waiting, refused. `on.frame(channel, mirror, frame)`: after it took
   * effect. `on.event(channel, frame)`. `on.back()`: open again after a break. `on.clock(ms)`: server's now.
   */
  constructor(address, on) {
    this.address = address;
    this.#on = on;
    setInterval(() => this.#tick(), 1000);
    document.addEventListener("visibilitychange", () => this.#rates());
    addEventListener("online", () => this.#now());
    addEventListener("pagehide", () => this.#socket?.close(1000));
  }

  subscribe(channel, { args, hz = 1 } = {}) {
    const id = this.#nextId++;
    this.#subscriptions.set(id, { channel, args, hz, mirror: new Mirror(), seq: null, epoch: null });
    if (this.#socket?.readyState === WebSocket.OPEN) this.#ask(id);
  }

  open() {
    this.#on.state("connecting");
    const socket = new WebSocket(this.address, PROTOCOL);
    this.#socket = socket;
    this.#heardAt = Date.now();
    socket.onopen = () => this.#hello();
    socket.onmessage = ({ data }) => this.#hear(socket, JSON.parse(data));
    socket.onclose = ({ code }) => this.#closed(socket, code);
  }

  /** Drop the connection as a failing network would, and try again. For tests and for silence. */
  drop() {
    const socket = this.#socket;
    if (!socket) return;
    socket.onmessage = socket.onopen = socket.onclose = null;
    socket.close();
    this.#closed(socket, 1006);
  }

  #hello() {
    const resume = {};
    for (const { channel, epoch, seq } of this.#subscriptions.values()) {
      if (epoch !== null) resume[channel] = [epoch, seq];
    }
    this.#send({ op: "hello", v: 1, caps: ["json"], resume });
    for (const id of this.#subscriptions.keys()) this.#ask(id);
  }

  #ask(id) {
    const { channel, args, hz } = this.#subscriptions.get(id);
    this.#send({ op: "sub", id, ch: channel, ...(args ? { args } : {}), hz: document.hidden ? HIDDEN_HZ : hz });
  }

  #hear(socket, frame) {
    if (socket !== this.#socket) return;
    this.#heardAt = Date.now();
    if (frame.now !== undefined) this.#on.clock(frame.now);
    if (frame.t === "welcome") {
      const again = this.#attempt > 0;
      this.#attempt = 0;
      this.#on.state("open");
      if (again) this.#on.back();
      return;
    }
    const subscription = this.#subscriptions.get(frame.id);
    if (!subscription) return;
    if (frame.t === "evt") {
      this.#seen(frame.id, subscription, frame);
      this.#on.event(subscription.channel, frame);
    } else if (frame.t === "snap" || frame.t === "d" || frame.t === "rows") {
      if (!subscription.mirror.apply(frame)) {
        this.#anew(frame.id, subscription);
        return;
      }
      this.#seen(frame.id, subscription, frame);
      this.#on.frame(subscription.channel, subscription.mirror, frame);
    } else if (frame.t === "gap") {
      this.#on.event(subscription.channel, frame);
    } else if (frame.t === "err") {
      console.warn(`live: ${subscription.channel}: ${frame.code} ${frame.msg ?? ""}`);
    }
  }

  #seen(id, subscription, frame) {
    subscription.seq = frame.q;
    if (frame.e !== undefined) subscription.epoch = frame.e;
    this.#acked.set(id, frame.q);
  }

  /** It does not follow: forget what is held and take a snapshot. */
  #anew(id, subscription) {
    subscription.mirror = new Mirror();
    subscription.seq = subscription.epoch = null;
    this.#send({ op: "unsub", id });
    this.#ask(id);
  }

  #tick() {
    const open = this.#socket?.readyState === WebSocket.OPEN;
    const patience = document.hidden ? SILENCE_HIDDEN : SILENCE;
    if (this.#socket && Date.now() - this.#heardAt > patience) this.drop();
    else if (open && this.#acked.size) {
      this.#send({ op: "ack", s: Object.fromEntries(this.#acked) });
      this.#acked.clear();
    }
  }

  #rates() {
    for (const [id, { hz }] of this.#subscriptions) {
      this.#send({ op: "rate", id, hz: document.hidden ? HIDDEN_HZ : hz });
    }
    if (!document.hidden) this.#now();
  }

  #closed(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    if (REFUSED.has(code)) {
      this.#on.state("refused");
      return;
    }
    this.#attempt += 1;
    this.#on.state("waiting");
    const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(this.#attempt, 7));
    this.#retry = setTimeout(() => this.#now(), FIRST_WAIT / 2 + Math.random() * most);
  }

  /** Do not wait any longer for the next attempt. */
  #now() {
    if (this.#socket || this.#retry === null) return;
    clearTimeout(this.#retry);
    this.#retry = null;
    this.open();
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
