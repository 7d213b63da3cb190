// Keeps a part of a page fresh (htmx asks for it) and says honestly how old it is.
// The part carries data-live; the pill is [data-live-pill], the switch [data-live-pause].
let paused = false;
let fetchedAt = Date.now();

const pill = document.querySelector("[data-live-pill]");
const button = document.querySelector("[data-live-pause]");

function show() {
  if (!pill) return;
  const age = Math.round((Date.now() - fetchedAt) / 1000);
  const late = !paused && age > 6;
  pill.textContent = paused ? `Paused, ${age} s old` : late ? `No answer for ${age} s` : `Live, ${age} s old`;
  pill.className = `pill state ${paused ? "state--unknown" : late ? "state--warn" : "state--ok"}`;
}

document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.closest("[data-live]") && (paused || document.hidden)) event.preventDefault();
});

document.body.addEventListener("htmx:afterSwap", () => {
  fetchedAt = Date.now();
  show();
});

button?.addEventListener("click", () => {
  paused = !paused;
  button.textContent = paused ? "Resume" : "Pause";
  show();
});

show();
setInterval(show, 1000);
