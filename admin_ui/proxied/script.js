// Runs in proxied pages before their own scripts: what they address at run time goes through the proxy, too.
// A proxied page has an origin of its own (the sandbox of its policy), so what browsers refuse such pages (cookies,
// storage, service workers) is stood in for, that scripts may go on. Nothing here guards anything: the policy does.
(() => {
  'use strict';
  const PROXIED = /^(\/proxy\/(?:~[\w.-]+\/)?)(https?:\/\/[^/?#]+)/;
  const gateway = new URL(document.currentScript.src).origin;
  const nonce = document.currentScript.nonce;
  const place = () => PROXIED.exec(new URL(document.baseURI).pathname) ?? [];

  /** The proxied address of whatever a page's script names. What is right already, or no web address, stays as it is. */
  function proxied(reference) {
    if (reference === null || reference === undefined || reference === '') return reference;
    let url;
    try {
      url = new URL(reference, document.baseURI);
    } catch {
      return reference;
    }
    const [, prefix, site] = place();
    if (!prefix || !/^(https?|wss?):$/.test(url.protocol)) return reference;
    const socket = url.protocol.startsWith('ws');
    const asked = socket ? url.href.replace(/^ws/, 'http') : url.href;
    const isOurs = new URL(asked).origin === gateway;
    if (isOurs && PROXIED.test(url.pathname)) return reference;
    const path = isOurs ? prefix + site + url.pathname + url.search + url.hash : prefix + asked;
    return (socket ? gateway.replace(/^http/, 'ws') : gateway) + path;
  }

  const candidate = /([^\s,]\S*[^\s,]|[^\s,])(\s+[^,]*)?(?=,|$)/g;
  const proxiedSet = (value) => String(value).replace(candidate, (_, url, size = '') => proxied(url) + size);

  // --- requests ---

  const { fetch: realFetch, open: realOpen, Request: RealRequest } = window;
  window.fetch = (input, options) => {
    const request = input instanceof RealRequest ? input : new RealRequest(proxied(input), options);
    const mapped = request.url === proxied(request.url) ? request : new RealRequest(proxied(request.url), request);
    const mode = request.mode === 'same-origin' || request.mode === 'navigate' ? 'cors' : request.mode;
    const credentials = request.credentials === 'include' ? 'same-origin' : request.credentials;
    return realFetch(mapped, { ...(input instanceof RealRequest ? options : {}), mode, credentials });
  };
  window.open = (url, ...rest) => realOpen.call(window, proxied(url), ...rest);

  const openRequest = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function open(method, url, ...rest) {
    return openRequest.call(this, method, proxied(url), ...rest);
  };
  Object.defineProperty(XMLHttpRequest.prototype, 'withCredentials', { get: () => false, set() {}, configurable: true });

  const sendBeacon = navigator.sendBeacon;
  navigator.sendBeacon = (url, data) => sendBeacon.call(navigator, proxied(url), data);

  for (const name of ['EventSource', 'WebSocket']) {
    const Real = window[name];
    if (!Real) continue;
    window[name] = new Proxy(Real, {
      construct: (target, [url, options], made) => Reflect.construct(target, name === 'EventSource' ? [proxied(url)] : [proxied(url), options ?? []], made),
    });
  }

  // A worker's script must be of the page's origin, which here no address is; a blob is, but where a page has an origin
  // of its own Chromium starts modules from data: alone.
  if (window.Worker) {
    window.Worker = new Proxy(window.Worker, {
      construct(target, [url, options], made) {
        if (/^(blob|data):/.test(url)) return Reflect.construct(target, [url, options], made);
        const address = JSON.stringify(proxied(url));
        const loader = options?.type === 'module'
          ? `data:text/javascript,${encodeURIComponent(`import ${address};`)}`
          : URL.createObjectURL(new Blob([`importScripts(${address});`], { type: 'text/javascript' }));
        return Reflect.construct(target, [loader, options], made);
      },
    });
  }

  for (const name of ['pushState', 'replaceState']) {
    const real = history[name];
    history[name] = (state, unused, url) => real.call(history, state, unused, url === undefined || url === null ? url : proxied(url));
  }

  // --- modules ---

  // `import` is no function that could be stood in for, but an import map has a part in each. Its keys may be the mere
  // beginning of an address, and the longest one counts, so what is the gateway's stays, and so does what a page's own
  // map says of a site. What follows the key is resolved against the value (HTML, "resolve an imports match"): therefore
  // neither may `name:port` follow the scheme, nor a segment with a colon a root.
  //
  // `/` is the root of the site that the importing file is of. Browsers name that file as Referer, and the gateway
  // redirects; Firefox names it to nobody where the page has an origin of its own, so there the map says whose root it
  // is: the page's, and in files of other sites that are known by then, theirs.
  const tellsImporter = !('mozInnerScreenX' in window);

  function ourMap() {
    const [, prefix, site] = place();
    if (!prefix) return { imports: {}, scopes: {} };
    const plain = site.startsWith('https:') ? 'https://' : 'http://'; // what `//host/` means on that site
    const imports = { 'https://': `${gateway}${prefix}https://`, 'http://': `${gateway}${prefix}${plain}` };
    if (tellsImporter) return { imports: { ...imports, [`${gateway}/`]: `${gateway}/` }, scopes: {} };
    const homes = namedSites(site).map((named) => `${gateway}${prefix}${named}/`);
    const stays = ['https://', 'http://'].map((scheme) => `${gateway}${prefix}${scheme}`).concat(homes);
    const ofHome = (home) => ({ ...Object.fromEntries(stays.map((key) => [key, key])), [`${gateway}/`]: home });
    const scopes = Object.fromEntries(homes.slice(1).map((home) => [home, ofHome(home)]));
    return { imports: { ...imports, ...ofHome(homes[0]) }, scopes };
  }

  /** The page's site, and those that its scripts come from or write as the beginning of a string. */
  function namedSites(site) {
    const sites = new Set([site]);
    for (const { src, textContent } of document.scripts) {
      const [, , from] = PROXIED.exec(String(src).replace(gateway, '')) ?? [];
      if (from) sites.add(from);
      for (const [, named] of textContent.matchAll(/["'`]((?:https?:)?\/\/[^/"'`\\?#\s]+)/g)) {
        if (URL.canParse(named, `${site}/`)) sites.add(new URL(named, `${site}/`).origin);
      }
    }
    return [...sites];
  }

  // Chromium 133 and Safari 18.4 take several import maps. They cannot be asked, but Atomics.pause is of the same age.
  // Firefox takes one, and none once a module was asked for: there ours waits for the page's own, while it can.
  const takesSeveral = Boolean(window.Atomics?.pause) && tellsImporter;
  let isMapped = false;

  function mapImports() {
    if (isMapped) return;
    isMapped = true;
    const map = document.createElement('script');
    map.type = 'importmap';
    if (nonce) map.nonce = nonce;
    map.textContent = JSON.stringify(ourMap());
    document.documentElement.append(map);
    map.remove();
  }

  if (takesSeveral) mapImports();
  else document.addEventListener('readystatechange', mapImports);

  /** Called before the script runs. A map may come in pieces, and is no JSON until the last. */
  function mendScript(script) {
    const type = script.type.toLowerCase();
    if (type === 'importmap' && !mendImportMap(script)) {
      const watch = new MutationObserver(() => { if (mendImportMap(script)) watch.disconnect(); });
      watch.observe(script, { childList: true, characterData: true, subtree: true });
    } else if (type === 'module' || (!script.src && /^$|javascript$/.test(type) && /\bimport\s*\(/.test(script.textContent))) {
      mapImports();
    }
  }

  function mendImportMap(script) {
    const mapped = (_, value) => (typeof value === 'string' && /^(https?:)?\/|^\.{1,2}\//.test(value) ? proxied(value) : value);
    try {
      const map = JSON.parse(script.textContent, mapped);
      const ours = isMapped ? { scopes: {} } : ourMap();
      const { scopes } = ours;
      for (const [scope, imports] of Object.entries(map.scopes ?? {})) scopes[proxied(scope)] = { ...scopes[proxied(scope)], ...imports };
      script.textContent = JSON.stringify({ ...map, imports: { ...ours.imports, ...map.imports }, scopes });
      isMapped = true;
      return true;
    } catch {
      return false;
    }
  }

  // --- elements ---

  const ADDRESSES = {
    a: ['href'], area: ['href'], audio: ['src'], base: ['href'], button: ['formaction'], embed: ['src'], form: ['action'],
    frame: ['src'], iframe: ['src'], image: ['href', 'xlink:href'], img: ['src', 'srcset'], input: ['src', 'formaction'],
    link: ['href', 'imagesrcset'], object: ['data'], script: ['src'], source: ['src', 'srcset'], track: ['src'],
    use: ['href', 'xlink:href'], video: ['src', 'poster'],
  };
  const SETS = ['srcset', 'imagesrcset'];
  const addressed = (element, name) => ADDRESSES[element.localName]?.includes(name.toLowerCase());
  const mappedValue = (name, value) => (SETS.includes(name.toLowerCase()) ? proxiedSet(value) : proxied(String(value)));

  const { setAttribute, setAttributeNS } = Element.prototype;
  Element.prototype.setAttribute = function set(name, value) {
    return setAttribute.call(this, name, addressed(this, String(name)) ? mappedValue(String(name), value) : value);
  };
  Element.prototype.setAttributeNS = function set(space, name, value) {
    return setAttributeNS.call(this, space, name, addressed(this, String(name)) ? mappedValue(String(name), value) : value);
  };

  const PROPERTIES = {
    HTMLAnchorElement: ['href'], HTMLAreaElement: ['href'], HTMLBaseElement: ['href'], HTMLButtonElement: ['formAction'],
    HTMLEmbedElement: ['src'], HTMLFormElement: ['action'], HTMLFrameElement: ['src'], HTMLIFrameElement: ['src'],
    HTMLImageElement: ['src', 'srcset'], HTMLInputElement: ['src', 'formAction'], HTMLLinkElement: ['href', 'imageSrcset'],
    HTMLMediaElement: ['src'], HTMLObjectElement: ['data'], HTMLScriptElement: ['src'], HTMLSourceElement: ['src', 'srcset'],
    HTMLTrackElement: ['src'], HTMLVideoElement: ['poster'],
  };
  for (const [kind, names] of Object.entries(PROPERTIES)) {
    for (const name of names) {
      const real = Object.getOwnPropertyDescriptor(window[kind]?.prototype ?? {}, name);
      if (!real?.set) continue;
      Object.defineProperty(window[kind].prototype, name, {
        ...real,
        set(value) { real.set.call(this, mappedValue(name, value)); },
      });
    }
  }

  function mend(element) {
    for (const name of ADDRESSES[element.localName] ?? []) {
      const value = element.getAttribute(name);
      if (value === null) continue;
      const mapped = mappedValue(name, value);
      if (mapped !== value) setAttribute.call(element, name, mapped);
    }
    if (element.localName === 'script') mendScript(element);
    if (element.localName === 'track') mendTrack(element);
    if (element.localName === 'use') mendUse(element);
  }

  // Tracks and the sprites of `<use>` must be of the page's origin, which here no address is. With `crossorigin` a track
  // need not be; a blob that the page makes is of its origin.
  function mendTrack(track) {
    const media = track.closest('audio, video');
    if (media?.hasAttribute('crossorigin') === false) media.crossOrigin = 'anonymous';
  }

  const sprites = new Map();

  async function mendUse(use) {
    const name = use.hasAttribute('href') ? 'href' : 'xlink:href';
    const written = use.getAttribute(name) ?? '';
    const { href, hash, protocol } = URL.canParse(written, document.baseURI) ? new URL(written, document.baseURI) : location;
    const file = href.slice(0, href.length - hash.length);
    if (!/^https?:$/.test(protocol) || written.startsWith('#') || file === location.href.split('#')[0]) return;
    if (!sprites.has(file)) sprites.set(file, realFetch(file).then((answer) => answer.blob()).then(URL.createObjectURL));
    try {
      const blob = await sprites.get(file);
      if (use.getAttribute(name) === written) setAttribute.call(use, name, blob + hash);
    } catch { /* it stays refused */ }
  }

  new MutationObserver((changes) => {
    for (const { target, type, addedNodes } of changes) {
      if (type === 'attributes') mend(target);
      for (const node of addedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        mend(node);
        node.querySelectorAll(Object.keys(ADDRESSES).join()).forEach(mend);
      }
    }
  }).observe(document, {
    subtree: true, childList: true, attributes: true,
    attributeFilter: ['href', 'src', 'srcset', 'action', 'formaction', 'poster', 'data', 'imagesrcset'],
  });

  // --- what a sandboxed page lacks ---

  const cookies = new Map();
  Object.defineProperty(Document.prototype, 'cookie', {
    get: () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
    set(text) {
      const [pair, ...attributes] = String(text).split(';');
      const [name, ...value] = pair.split('=');
      const gone = attributes.some((attribute) => /^\s*max-age\s*=\s*(0|-)/i.test(attribute) || (/^\s*expires\s*=/i.test(attribute) && Date.parse(attribute.split('=')[1]) < Date.now()));
      if (gone) cookies.delete(name.trim());
      else cookies.set(name.trim(), value.join('=').trim());
    },
    configurable: true,
  });

  function storage() {
    const items = new Map();
    const methods = {
      getItem: (key) => items.get(String(key)) ?? null,
      setItem: (key, value) => { items.set(String(key), String(value)); },
      removeItem: (key) => { items.delete(String(key)); },
      clear: () => items.clear(),
      key: (index) => [...items.keys()][index] ?? null,
    };
    return new Proxy(methods, {
      get: (target, key) => (key === 'length' ? items.size : key in target ? target[key] : items.get(key)),
      set: (_, key, value) => { items.set(String(key), String(value)); return true; },
      has: (target, key) => key in target || items.has(key),
      deleteProperty: (_, key) => { items.delete(key); return true; },
      ownKeys: () => [...items.keys()],
      getOwnPropertyDescriptor: (_, key) => (items.has(key) ? { value: items.get(key), enumerable: true, configurable: true, writable: true } : undefined),
    });
  }
  for (const name of ['localStorage', 'sessionStorage']) {
    Object.defineProperty(window, name, { value: storage(), configurable: true });
  }

  const refused = () => Promise.reject(new DOMException('A proxied page has no service worker', 'SecurityError'));
  Object.defineProperty(navigator, 'serviceWorker', {
    value: {
      controller: null, ready: new Promise(() => {}), register: refused,
      getRegistration: async () => undefined, getRegistrations: async () => [],
      addEventListener() {}, removeEventListener() {}, startMessages() {},
    },
    configurable: true,
  });
})();
