// What this browser remembers of its owner's taste. Never a secret. Works, forgetfully, where storage is blocked.

export function recall(name) {
  try { return localStorage.getItem(`gateway.${name}`); } catch { return null; }
}

/** As long as this tab is open. */
export function recallHere(name) {
  try { return sessionStorage.getItem(`gateway.${name}`); } catch { return null; }
}

export function rememberHere(name, value) {
  try { sessionStorage.setItem(`gateway.${name}`, value); } catch { /* forgotten when the page is loaded anew */ }
}

export function remember(name, value) {
  try { localStorage.setItem(`gateway.${name}`, value); } catch { /* forgotten at the next visit */ }
}
