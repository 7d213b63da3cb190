// How far is the simulation? The live socket says so as it goes; htmx asks for the whole part now and then,
// so that a page without a socket is only later. When it has ended, its report is at the same address.
import { LiveSocket } from "../live/socket.js";

const MOVED_AT_MOST = 1_000; // ms between two looks that events may cause

const part = () => document.querySelector("[data-progress]");
const { simulation, environment } = part().dataset;
const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live`;
let looked = 0;

function happened({ k: kind, facts }) {
  if (String(facts?.simulation) !== simulation) return;
  if (kind === "ended") {
    location.reload();
    return;
  }
  const now = Date.now();
  if (now - looked < MOVED_AT_MOST) return;
  looked = now;
  part()?.dispatchEvent(new CustomEvent("simulation-moved"));
}

const nothing = () => {};
const socket = new LiveSocket(address, {
  state: nothing,
  frame: nothing,
  clock: nothing,
  event: (_, frame) => happened(frame),
  back: () => part()?.dispatchEvent(new CustomEvent("simulation-moved")),
});
socket.subscribe("simulations", { args: { environment } });
socket.open();

// What htmx was sent has no progress any more: it has ended.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.xhr.responseText.includes("data-progress")) {
    event.preventDefault();
    location.reload();
  }
});
