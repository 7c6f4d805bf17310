// What this browser remembers of its owner's taste. Never a secret. Works, forgetfully, where storage is blocked.

export function recall(name) {
  try { return localStorage.getItem(`gateway.${name}`); } catch { return null; }
}

export function remember(name, value) {
  try { localStorage.setItem(`gateway.${name}`, value); } catch { /* forgotten at the next visit */ }
}
