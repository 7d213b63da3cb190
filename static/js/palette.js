// The command palette: opens at once, asks the server as somebody types, walks by arrow keys.
const dialog = document.querySelector("#palette");
const input = dialog.querySelector("input");
const offers = dialog.querySelector(".palette__offers");

function open() {
  if (dialog.open) return;
  input.value = "";
  dialog.showModal();
  input.focus();
  input.dispatchEvent(new Event("palette-open", { bubbles: true }));
}

function choose(step) {
  const all = [...offers.querySelectorAll("[role=option]")];
  if (!all.length) return;
  const at = all.findIndex((offer) => offer.getAttribute("aria-selected") === "true");
  const next = all[(at + step + all.length) % all.length];
  for (const offer of all) offer.setAttribute("aria-selected", String(offer === next));
  input.setAttribute("aria-activedescendant", next.id);
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    open();
  }
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-palette-open]")) open();
  if (event.target === dialog) dialog.close(); // outside of it
});
input.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter") {
    event.preventDefault();
    offers.querySelector("[aria-selected=true]")?.click();
  }
});
