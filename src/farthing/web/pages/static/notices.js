// Notices in this browser: asked for here, by who wants them, and ended here.

import { post, Refused } from "./passkeys.js";

const box = document.querySelector("[data-push]");
const button = box?.querySelector("button"), said = box?.querySelector("[role=status]");
const able = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

// The hub forgets a browser where one signs out, also from elsewhere; the browser may not know.
async function told({ pushManager }) {
  return "pushed" in box.dataset ? await pushManager.getSubscription() : null;
}

async function look() {
  button.textContent = await told(await navigator.serviceWorker.ready) ? box.dataset.off : box.dataset.on;
  button.disabled = false;
}

async function begin(pushing) {
  if (await Notification.requestPermission() !== "granted") throw new Refused(box.dataset.denied);
  const { key } = await (await fetch("/push/key", { headers: { accept: "application/json" } })).json();
  const kept = await pushing.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  await post("/push/subscribe", kept.toJSON());
}

async function end(kept) {
  await post("/push/unsubscribe", { endpoint: kept.endpoint });
  await kept.unsubscribe();
}

async function turn() {
  button.disabled = true;
  const worker = await navigator.serviceWorker.ready, kept = await told(worker);
  await (kept ? end(kept) : begin(worker.pushManager));
  location.reload();
}

if (box && able) {
  look().catch(() => { said.textContent = box.dataset.unable; });
  button.addEventListener("click", () => turn().catch((fault) => {
    said.textContent = fault instanceof Refused ? fault.message : box.dataset.unable;
    button.disabled = false;
  }));
} else if (box) said.textContent = box.dataset.unable;

const zone = document.querySelector("#zone");
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && here && zone.value === "UTC" && zone.dataset.fresh) zone.value = here;
