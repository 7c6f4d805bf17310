const attempt = async (work) => { try { return String(await work()); } catch (error) { return 'refused'; } };
const ask = (path, options) => fetch(location.origin + path, {credentials: 'include', ...options});
const body = JSON.stringify({prefix: '/evil', target: 'https://evil.example'});
(async () => {
  const opened = open(location.origin + '/admin');
  const results = {
    fetch: String(fetch).includes('native code'),
    origin: origin,
    cookie: await attempt(() => document.cookie),
    storage: await attempt(() => localStorage.length),
    read: await attempt(() => ask('/api/mappings').then((reply) => reply.text())),
    settings: await attempt(() => ask('/api/settings').then((reply) => reply.text())),
    write: await attempt(() => ask('/api/mappings', {method: 'POST', headers: {'Content-Type': 'application/json'}, body})),
    blind: await attempt(() => ask('/api/mappings', {method: 'POST', mode: 'no-cors', body}).then(() => 'sent')),
    worker: await attempt(() => navigator.serviceWorker.register(location.href + 'sw.js')),
    past: await attempt(() => fetch('OTHER/past', {mode: 'no-cors'})),
    picture: await attempt(() => new Promise((resolve, reject) => {
      const image = new Image(); image.onload = resolve; image.onerror = reject; image.src = 'OTHER/past.svg'; })),
    beacon: await attempt(() => { if (!navigator.sendBeacon('OTHER/beacon', 'x')) throw 0; return 'sent'; }),
    socket: await attempt(() => new Promise((resolve, reject) => {
      const socket = new WebSocket('OTHER/'.replace('http', 'ws')); socket.onopen = resolve; socket.onerror = reject; })),
    framed: await attempt(() => new Promise((resolve, reject) => {
      const frame = document.createElement('iframe'); frame.src = location.origin + '/admin';
      frame.onload = () => { try { resolve(frame.contentWindow.document.title) } catch { reject() } };
      document.body.append(frame); })),
  };
  const sink = document.createElement('iframe'); sink.name = 'sink';
  const form = document.createElement('form');
  Object.assign(form, {method: 'post', action: location.origin + '/api/admin/logout', target: 'sink'});
  document.body.append(sink, form); form.submit();
  await new Promise((resolve) => setTimeout(resolve, 300));
  results.opened = await attempt(() => opened.document.body.textContent);
  window.results = results;
  document.title = 'done';
})();
