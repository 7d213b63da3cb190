// Light, dark, or as the system says. Runs before the first paint, so nothing flashes.
const STORED = "headway-theme";
const ORDER = ["auto", "light", "dark"];
const system = matchMedia("(prefers-color-scheme: dark)");

function chosen() {
  try {
    const kept = localStorage.getItem(STORED);
    return ORDER.includes(kept) ? kept : "auto";
  } catch {
    return "auto"; // storage is blocked: follow the system
  }
}

function apply() {
  const choice = chosen();
  const dark = choice === "dark" || (choice === "auto" && system.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.textContent = `Theme: ${choice}`;
    button.hidden = false;
  }
}

apply();
system.addEventListener("change", apply);
document.addEventListener("DOMContentLoaded", apply);
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-switch]")) return;
  const next = ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length];
  try {
    localStorage.setItem(STORED, next);
  } catch {
    return; // nowhere to keep it
  }
  apply();
});
