// The editor of one object: which side was typed into, rows, findings at their fields, nothing lost by leaving.
const form = document.querySelector("#editor");
const source = form.querySelector("[data-source]");
const unsaved = form.querySelector("[data-unsaved]");
const checking = document.querySelector("[data-checking]");
let dirty = false;

function touched() {
  dirty = true;
  if (unsaved) unsaved.hidden = false;
}

form.addEventListener("input", (event) => {
  if (event.target.name === "reason") return;
  source.value = event.target.id === "yaml" ? "yaml" : "form";
  touched();
});

// -- rows, and places taken over from the saved version ---------------------------------------------
// A wish stays until it was answered: what is typed meanwhile takes the request's place, and takes it along.
let wish = null;
let returning = "";

function ask(values) {
  wish = values;
  source.value = "form";
  htmx.ajax("POST", form.getAttribute("hx-post"), { source: form, target: "#findings", swap: "innerHTML" });
  touched();
}

form.addEventListener("htmx:configRequest", (event) => Object.assign(event.detail.parameters, wish));
for (const over of ["htmx:beforeOnLoad", "htmx:sendError"]) form.addEventListener(over, () => (wish = null));

document.addEventListener("click", (event) => {
  const arrange = event.target.closest("[data-arrange]");
  if (arrange) ask({ arrange: arrange.dataset.arrange });
  const take = event.target.closest("[data-take]");
  if (take) {
    ask({ take: take.value });
    take.replaceWith("theirs");
  }
  const go = event.target.closest("[data-go]");
  if (go) {
    event.preventDefault();
    const place = document.getElementById(go.dataset.go);
    for (let up = place; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
    place?.scrollIntoView({ block: "center", behavior: "auto" });
    (place?.matches("input, select, textarea") ? place : place?.querySelector("input:not([type=hidden]), select, textarea"))?.focus();
  }
});

form.addEventListener("change", (event) => {
  // The choice decides what else is asked for: have the fields drawn again.
  if (!event.target.matches("[data-alters]")) return;
  returning = event.target.id;
  ask({ arrange: "redraw" });
});

// -- findings at their fields -------------------------------------------------------------------------
function place() {
  for (const slot of form.querySelectorAll("[data-errors]")) slot.replaceChildren();
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  for (const finding of document.querySelectorAll("#findings [data-at]")) {
    const slot = document.getElementById(`${finding.dataset.at}--errors`);
    if (!slot) continue;
    const said = document.createElement("p");
    said.className = `field__error field__error--${finding.dataset.severity}`;
    said.textContent = finding.querySelector("[data-says]").textContent;
    slot.append(said);
    const input = document.getElementById(finding.dataset.at);
    if (finding.dataset.severity === "error" && input?.matches("input, select, textarea")) {
      input.setAttribute("aria-invalid", "true");
    }
  }
}

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id !== "findings") return;
  place();
  // Its text alone: whoever drew the box larger, or scrolled in it, keeps that.
  const written = document.querySelector("#findings [data-yaml]");
  if (written) document.getElementById("yaml").value = written.textContent;
  if (returning && document.activeElement === document.body) document.getElementById(returning)?.focus();
  returning = "";
  const fields = document.querySelector("#fields[data-focus]");
  if (!fields) return;
  const group = document.getElementById(fields.dataset.focus);
  const inputs = group?.querySelectorAll("input:not([type=hidden]), select") ?? [];
  const rows = group?.querySelectorAll(":scope > .row, :scope > .chips > .chip") ?? [];
  const last = rows.length ? rows[rows.length - 1].querySelector("input:not([type=hidden]), select") : inputs[0];
  last?.focus();
  delete fields.dataset.focus;
});
form.addEventListener("htmx:beforeRequest", () => checking && (checking.textContent = "checking"));
form.addEventListener("htmx:afterRequest", (event) => {
  if (checking) checking.textContent = event.detail.successful ? "as you type" : "no answer from the console";
});

// -- saving and leaving ---------------------------------------------------------------------------------
form.addEventListener("submit", () => (dirty = false));
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") form.querySelector("[data-save]")?.click();
});
addEventListener("beforeunload", (event) => {
  if (dirty) event.preventDefault();
});
if (document.querySelector("[role=alert].notice")) touched();
