// What every page of the console can do: copy buttons, toasts that leave, keys, a session that ended.
const GO = { o: "Overview", l: "Live", p: "Policies", m: "Simulations", r: "Releases", w: "Gateways", a: "Audit", s: "Settings" };
const TOAST_STAYS = 10_000;
const CHORD = 1_200;

export function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

// -- copying ----------------------------------------------------------------------------------------
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  const text = "value" in source ? source.value : source.textContent;
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(text.trim());
    button.textContent = button.classList.contains("mini") ? "✓" : "Copied";
  } catch {
    getSelection().selectAllChildren(source); // no clipboard here: leave it selected, to be copied by hand
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = said), 1_500);
});

// -- toasts: they stay while somebody reads or aims at them -----------------------------------------
for (const toast of document.querySelectorAll("[data-toast]")) {
  let left = setTimeout(() => toast.remove(), TOAST_STAYS);
  const hold = () => clearTimeout(left);
  const resume = () => {
    hold();
    left = setTimeout(() => toast.remove(), TOAST_STAYS);
  };
  for (const [name, act] of [["pointerenter", hold], ["focusin", hold], ["pointerleave", resume], ["focusout", resume]]) {
    toast.addEventListener(name, act);
  }
  toast.querySelector("[data-toast-close]").addEventListener("click", () => toast.remove());
}

// -- keys -------------------------------------------------------------------------------------------
let went = 0;
document.addEventListener("keydown", (event) => {
  if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "?") {
    event.preventDefault();
    document.querySelector("#keys")?.showModal();
  } else if (event.key === "g") {
    went = Date.now();
  } else if (Date.now() - went < CHORD && GO[event.key]) {
    went = 0;
    for (const link of document.querySelectorAll(".bar__nav a")) {
      if (link.textContent.trim() === GO[event.key]) link.click();
    }
  }
});

// -- a form is sent once ------------------------------------------------------------------------------
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// -- a session that ended answers with the sign-in page: go there instead of showing it inside --------
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.xhr.responseURL.includes("/sign-in/")) return;
  event.preventDefault();
  location.reload();
});
