// The service worker: pages come from the hub or not at all, for what they say of money must be true
// now. Without a line there is one page that says so. What is pushed is shown, and answered.

const VERSION = "{version}", LANGUAGE = navigator.language;
const NO_LINE = "/offline";
const FILES = ["app.css", "app.js", "passkeys.js", "coin.svg"].map((file) => `/static/${VERSION}/${file}`);

addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(VERSION);
    await cache.addAll([new Request(NO_LINE, { cache: "no-store", headers: { "accept-language": LANGUAGE } }), ...FILES]);
    await skipWaiting();
  })());
});

addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name !== VERSION) await caches.delete(name);
    await clients.claim();
  })());
});

addEventListener("fetch", (event) => {
  const { request } = event, path = new URL(request.url).pathname;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => caches.match(NO_LINE)));
  else if (FILES.includes(path)) event.respondWith(caches.match(path).then((kept) => kept ?? fetch(request)));
});

addEventListener("push", (event) => {
  const told = event.data.json();
  const { title, tag, lang, actions } = told, asks = told.subject !== "", body = `${told.body}\n${told.why}`;
  event.waitUntil(registration.showNotification(title, {
    body, tag, lang, actions, data: told, renotify: asks, requireInteraction: asks, icon: `/static/${VERSION}/coin.svg`,
  }).then(() => told.shown && sent("/push/shown", { ticket: told.shown })));
});

// What a push service takes, no browser may ever show: the hub is told what was shown, or goes on to
// the next way. A push service that gives a browser another place is followed there.
addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renewed(event)));

async function renewed({ oldSubscription, newSubscription }) {
  const { key } = await (await fetch("/push/key", { headers: { accept: "application/json" } })).json();
  const made = newSubscription ?? await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  await sent("/push/renew", { ...made.toJSON(), old: oldSubscription?.endpoint ?? "" });
}

function sent(path, body) {
  const headers = { "content-type": "application/json", accept: "application/json" };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => null);
}

addEventListener("notificationclick", (event) => event.waitUntil(clicked(event.notification, event.action)));

// Approve stands on a notice only where it shows the amount and needs no passkey, and the hub looks
// again. Whatever does not come out as it was meant is looked at on the page.
async function clicked(notice, action) {
  const { url, ticket, more_url } = notice.data;
  notice.close();
  if (action === "more") await opened(more_url);
  else if (action === "" || !await answered(ticket, action)) await opened(url);
}

async function answered(ticket, answer) {
  const reply = await sent("/push/answer", { ticket, answer });
  if (!reply?.ok) return false;
  const { state } = await reply.json();
  return answer === "approve" ? ["captured", "held"].includes(state) : state === "refused";
}

async function opened(url) {
  const place = new URL(url, location.origin), whole = place.origin === location.origin ? place.href : "/wallet";
  const [open] = await clients.matchAll({ type: "window" });
  if (!open) return clients.openWindow(whole);
  await open.navigate(whole);
  return open.focus().catch(() => {});
}
