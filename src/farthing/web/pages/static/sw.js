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
