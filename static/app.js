// What makes the pages livelier. Everything essential works without it.

// Times: written in UTC by the server, shown in the viewer's zone; UTC stays in the title.
const present = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const past = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

function localise(root) {
  const year = new Date().getFullYear();
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    const text = (moment.getFullYear() === year ? present : past).format(moment);
    if (element.textContent !== text) element.textContent = text;
  }
}

// Polling: what has not changed is answered with 304 and swaps nothing; a page in the background asks for nothing.
const tags = new Map();

document.addEventListener("htmx:config:request", (event) => {
  const { request, sourceElement } = event.detail.ctx;
  if (!sourceElement.dataset.live) return;
  if (document.hidden) { event.preventDefault(); return; }
  const tag = tags.get(request.action);
  if (tag) request.headers["If-None-Match"] = tag;
});
document.addEventListener("htmx:after:request", (event) => {
  const { request, response, sourceElement } = event.detail.ctx;
  const tag = response?.headers?.get("ETag");
  if (sourceElement.dataset.live && tag) tags.set(request.action, tag);
});
document.addEventListener("htmx:after:swap", () => localise(document));

// The menu tree: which branches are open is kept, so that the server draws the next page with them.
document.querySelector(".tree")?.addEventListener("toggle", (event) => {
  const branches = [...document.querySelectorAll(".tree details[data-key]")];
  if (!branches.includes(event.target)) return;
  const words = branches.map((branch) => `${branch.dataset.key}.${branch.open ? 1 : 0}`);
  document.cookie = `menu=${words.slice(0, 60).join("-")}; path=/; max-age=31536000; samesite=lax`;
}, true);

// The present page's entry is in sight, also in a long tree.
const tree = document.querySelector(".tree");
const entry = tree?.querySelector("[aria-current]");
if (entry) {
  const below = entry.getBoundingClientRect().bottom - tree.getBoundingClientRect().bottom;
  if (below > 0) tree.scrollTop += below + tree.clientHeight / 2;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  await navigator.clipboard.writeText(source.textContent);
  button.querySelector("span").textContent = "Copied";
});

// A box in a table's head ticks all of its rows.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-tick]")) {
    for (const box of document.querySelectorAll(`input[name="${event.target.dataset.tick}"]`)) box.checked = event.target.checked;
  }
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

// Shortcuts: the slash goes to the page's search, the question mark shows all, and the links in that list have theirs.
// Whoever dictates or types blindly turns them off, in this browser.
const help = document.getElementById("keys");
let typed = "";

function shortcut(key) {
  const search = document.querySelector("[data-search]");
  if (key === "?" && help) { help.showModal(); return true; }
  if (key === "/" && search) { search.focus(); search.select(); return true; }
  const links = [...(help?.querySelectorAll("[data-keys]") ?? [])];
  const wanted = `${typed} ${key}`.trim();
  typed = links.some((link) => link.dataset.keys.startsWith(`${wanted} `)) ? wanted : "";
  links.find((link) => link.dataset.keys === wanted)?.click();
  return typed !== "";
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  if (localStorage.getItem("shortcuts") === "off" || document.querySelector("dialog[open]")) return;
  if (shortcut(event.key)) event.preventDefault();
});

const allowed = document.querySelector("[data-shortcuts]");
if (allowed) {
  allowed.checked = localStorage.getItem("shortcuts") !== "off";
  allowed.addEventListener("change", () => localStorage.setItem("shortcuts", allowed.checked ? "on" : "off"));
}
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) document.getElementById(opener.dataset.dialog).showModal();
});

// A row of an ordered table is dragged by its handle; its form says where it was dropped.
let dragged = null;

document.addEventListener("dragstart", (event) => {
  if (!event.target.matches?.(".handle")) return;
  dragged = { row: event.target.closest("tr"), before: event.target.closest("tr").nextElementSibling };
  dragged.row.classList.add("dragged");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setDragImage(dragged.row, 0, 0);
});
document.addEventListener("dragover", (event) => {
  const over = event.target.closest?.("tr[data-ordered]");
  if (!dragged || !over || over.parentElement !== dragged.row.parentElement) return;
  event.preventDefault();
  const box = over.getBoundingClientRect();
  over[event.clientY < box.top + box.height / 2 ? "before" : "after"](dragged.row);
});
document.addEventListener("drop", (event) => {
  if (!dragged) return;
  event.preventDefault();
  const { row } = dragged;
  const place = document.createElement("input");
  Object.assign(place, { type: "hidden", name: "to", value: [...row.parentElement.children].indexOf(row) + 1 });
  dragged.done = true;
  const form = row.querySelector("form.order");
  form.append(place);
  form.requestSubmit();
  place.remove();
});
document.addEventListener("dragend", () => {
  if (!dragged) return;
  if (!dragged.done) dragged.row.parentElement.insertBefore(dragged.row, dragged.before);
  dragged.row.classList.remove("dragged");
  dragged = null;
});

// A form that calls the HTTP API from here, and shows the answer as it came.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.try) return;
  event.preventDefault();
  const { key, destination, text, dry_run: dry } = form.elements;
  const output = form.querySelector("output");
  output.textContent = "…";
  try {
    const answer = await fetch(form.dataset.try, {
      method: "POST",
      credentials: "omit",
      headers: { Authorization: `Bearer ${key.value}`, "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` },
      body: JSON.stringify({ destination: destination.value, text: text.value, dry_run: dry.checked }),
    });
    const said = document.createElement("pre");
    said.textContent = `HTTP ${answer.status}\n\n${JSON.stringify(await answer.json(), null, 2)}`;
    output.replaceChildren(said);
  } catch (error) {
    output.textContent = `The gateway could not be reached: ${error.message}`;
  }
});

document.documentElement.classList.add("live");
if (navigator.clipboard) for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
localise(document);
