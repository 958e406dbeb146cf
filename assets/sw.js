// One page for when the app does not answer. Nothing else is stored, and no other request is touched.
const STORE = 'lm-playground-offline';

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(STORE).then((store) => store.add(new Request('offline.html', {cache: 'reload'}))));
  self.skipWaiting();
});

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  if (event.request.mode !== 'navigate') return;
  event.respondWith(fetch(event.request).catch(() => caches.match('offline.html', {cacheName: STORE})));
});
