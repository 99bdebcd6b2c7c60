// What pages do beyond links and forms: passkeys, the live feed, and how long ago things were.

import { make, post, prove, Refused, show } from "./passkeys.js";

const page = document.documentElement;

// Whatever a person began either goes on or says why not, next to where they began it.
async function tried(button, work) {
  const fault = button.closest("li, section, main")?.querySelector("[data-fault]")
    ?? document.querySelector("[data-fault]");
  fault.hidden = true;
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    const refused = error instanceof Refused;
    fault.textContent = refused ? `${fault.dataset.failed} ${error.message}` : fault.dataset.cancelled;
    fault.hidden = false;
    button.disabled = false;
  }
}

for (const button of document.querySelectorAll("[data-sign-in]")) {
  button.disabled = false;
  button.addEventListener("click", () => tried(button, async () => {
    const proof = await show(await post("/sign-in/begin", {}));
    location.assign((await post("/sign-in/finish", proof)).go);
  }));
}

for (const form of document.querySelectorAll("[data-join]")) {
  const button = form.querySelector("button");
  button.disabled = false;
  const take = () => {
    if (location.hash.length < 2) return;
    form.code.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
  };
  take();
  addEventListener("hashchange", take);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    tried(button, async () => {
      const code = form.code.value.trim();
      const proof = await make(await post("/join/begin", { code }));
      location.assign((await post("/join/finish", { code, ...proof })).go);
    });
  });
}

for (const button of document.querySelectorAll("[data-add-passkey]")) {
  button.disabled = false;
  button.addEventListener("click", () => tried(button, async () => {
    const confirmed = await prove("add-passkey", "");
    const made = await make(await post("/account/passkeys/begin", {}));
    location.assign((await post("/account/passkeys/add", { made, confirmed })).go);
  }));
}

// Who signs out is told nothing in this browser any more, also where it asked for that long ago.
for (const form of document.querySelectorAll("[action='/sign-out']")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const worker = await navigator.serviceWorker?.getRegistration();
      form.endpoint.value = (await worker?.pushManager?.getSubscription())?.endpoint ?? "";
    } finally {
      form.submit();
    }
  });
}

// A form that a passkey has to confirm is sent once its proof is in it.
document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (!form.dataset.proof || !submitter?.hasAttribute("data-needs-proof") || form.proof.value) return;
  event.preventDefault();
  tried(submitter, async () => {
    form.proof.value = JSON.stringify(await prove(form.dataset.proof, form.dataset.subject));
    submitter.disabled = false;
    form.requestSubmit(submitter);
  });
});

// What is typed is tried at once: the hub says what it would allow, in the words of the page.
for (const form of document.querySelectorAll("[data-preview]")) {
  const shown = form.querySelector("#foreseen");
  let waiting, asked = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const mine = ++asked;
      const answer = await fetch(form.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "text/html" } }).catch(() => null);
      if (answer?.ok && mine === asked) shown.innerHTML = await answer.text();
    }, 300);
  });
}

const steps = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7]];
const ago = new Intl.RelativeTimeFormat(page.lang, { numeric: "auto", style: "short" });
const date = new Intl.DateTimeFormat(page.lang, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(page.lang, { dateStyle: "full", timeStyle: "medium" });

function since(then) {
  let much = (then - Date.now()) / 1000;
  for (const [unit, size] of steps) {
    if (Math.abs(much) < size) return ago.format(unit === "second" ? Math.min(0, Math.ceil(much / 10) * 10) : Math.trunc(much), unit);
    much /= size;
  }
  return date.format(then);
}

function relate(time) {
  const then = new Date(time.dateTime), whole = time.hasAttribute("data-exact");
  time.title = whole ? since(then) : exact.format(then);
  time.textContent = whole ? exact.format(then) : since(then);
}

// Where there is nothing to hover with, a tap says exactly when; on a receipt that stands there.
document.addEventListener("click", ({ target }) => {
  const time = target.closest("time");
  if (!time || time.closest("a")) return;
  time.toggleAttribute("data-exact");
  relate(time);
});

const relateAll = () => document.querySelectorAll("time").forEach(relate);
relateAll();
setInterval(relateAll, 10_000);

setInterval(() => {
  for (const left of document.querySelectorAll("[data-left]")) left.value = Math.max(0, left.value - 1);
}, 1000);

document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// The live feed: the hub writes the rows, and this puts them where they belong.
const main = document.querySelector("[data-live]");
const piece = (html) => {
  const box = document.createElement("template");
  box.innerHTML = html;
  return box.content.firstElementChild;
};
const FEED_MAX = 60;

// What a column counts stands above it once, while all of it is counted in the same.
function counted(list) {
  if (new Set([...list.children].map((row) => row.dataset.asset)).size > 1) list.classList.remove("one");
}

function placed(list, row, key) {
  const before = list.querySelector(`[data-${key}="${CSS.escape(row.dataset[key])}"]`);
  if (before) return before.replaceWith(row);
  row.classList.add("new");
  const older = [...list.children].find((one) => !one.dataset.at || BigInt(one.dataset.at) <= BigInt(row.dataset.at ?? 0));
  list.insertBefore(row, older ?? (key === "payment" ? null : list.firstElementChild));
}

function news(told) {
  const balance = document.querySelector("#balance"), list = document.querySelector("#moved");
  const shown = () => balance.textContent.replace(/\s+/g, " ").trim(), before = shown();
  balance.innerHTML = told.balance;
  balance.classList.toggle("changed", shown() !== before);
  if (list && told.moved !== undefined) {
    list.innerHTML = told.moved;
    counted(list);
  }
  if (document.querySelector("#feed")) payments(told);
  relateAll();
}

function payments(told) {
  const feed = document.querySelector("#feed"), asks = document.querySelector("#asks"), box = document.querySelector("#asks-box");
  for (const { id, html } of told.rows) {
    asks.querySelector(`[data-ask="${CSS.escape(id)}"]`)?.remove();
    placed(feed, piece(html), "payment");
  }
  for (const { html } of told.asks) placed(asks, piece(html), "ask");
  while (feed.children.length > FEED_MAX) feed.lastElementChild.remove();
  counted(feed);
  document.querySelector("#feed-none").hidden = feed.children.length > 0;
  box.hidden = asks.children.length === 0;
  if (told.asks.length) document.querySelector("#said").textContent = box.querySelector("h2").textContent;
}

if (main) {
  const source = new EventSource(main.dataset.live);
  let lost = false;
  source.addEventListener("error", () => { lost = true; });
  source.addEventListener("open", () => { if (lost) location.reload(); });
  source.addEventListener("news", (event) => news(JSON.parse(event.data)));
  source.addEventListener("end", () => { source.close(); location.reload(); });
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

// Without a line pages say so; what they show is no longer sure to be true.
const shell = document.querySelector("[data-offline-page]");
const lineless = () => { document.querySelector("[data-offline]").hidden = navigator.onLine || shell !== null; };
addEventListener("offline", lineless);
addEventListener("online", lineless);
lineless();
if (shell) setInterval(() => fetch("/sw.js", { cache: "no-store" }).then(() => location.reload(), () => {}), 2000);
for (const button of document.querySelectorAll("[data-again]")) {
  button.disabled = false;
  button.addEventListener("click", () => location.reload());
}
navigator.serviceWorker?.register("/sw.js").catch(() => {});
